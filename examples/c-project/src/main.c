#include <stdio.h>

#include "shapes.h"
#include "version.h"

int main(void) {
    printf("shapes %s\n", VERSION);
    printf("square %d\n", square(4));
    printf("rectangle %d\n", rectangle(3, 5));
    return 0;
}
