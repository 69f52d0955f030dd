#ifndef CHECK_H
#define CHECK_H

/* Reports what is wrong with the known files. */
int check_all(void);

#endif
