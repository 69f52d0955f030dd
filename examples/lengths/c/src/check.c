#include "check.h"

#include "messages.h"
#include "report.h"

int check_all(void) {
    report("a.txt", E_EMPTY);
    report("b.txt", E_LONG);
    return 0;
}
