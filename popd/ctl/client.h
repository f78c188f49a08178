/* One request line to popd's control socket, one answer line back. */
#ifndef POPD_CTL_CLIENT_H
#define POPD_CTL_CLIENT_H

#include "lib/cc.h"

/* A connected socket, or -1 with `why` saying so in a sentence. */
enum { CLIENT_WHY = 300 };
int client_connect(const char *path, char why[static CLIENT_WHY]) NONNULL;

/* Sends `request` and a newline: 0, or -1 with `why`. */
int client_send(int fd, const char *request, char why[static CLIENT_WHY]) NONNULL MUSTCHECK;

/* Sends `request` and a newline; gives the answer without its newline, malloc'ed, or NULL with
 * `why`. */
char *client_ask(int fd, const char *request, char why[static CLIENT_WHY]) NONNULL;

#endif
