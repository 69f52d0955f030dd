#include <stdio.h>

#include "check.h"
#include "version.h"

int main(void) {
    printf("check %s\n", VERSION);
    return check_all();
}
