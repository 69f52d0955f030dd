#include "report.h"

#include <stdio.h>

void report(const char *path, const char *message) { printf("%s %s\n", path, message); }
