#ifndef REPORT_H
#define REPORT_H

/* Prints a line about a file. */
void report(const char *path, const char *message);

#endif
