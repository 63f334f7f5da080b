/* SIGINT and SIGTERM as something that can be read in the loop. They also end a system call that
 * waits, with EINTR, so that nobody waits on for a reader of standard output. */
#ifndef ONCECTL_INTERRUPT_H
#define ONCECTL_INTERRUPT_H

/* A file descriptor that can be read once a signal has come; negative errno. One at a time. */
int interrupt_open(void);
/* The signals mean again what they meant. */
void interrupt_close(int fd);
/* The last one that came; 0: none. */
int interrupt_signal(void);

#endif
