/* The connection to popd's control socket: one request line, one answer line back. */
#ifndef POPD_CTL_CLIENT_H
#define POPD_CTL_CLIENT_H

#include "lib/cc.h"

enum { CLIENT_WHY = 300 };

/* A connected socket, or -1: `why` is a sentence, here and below. */
int client_connect(const char *path, char why[static CLIENT_WHY]) NONNULL;

/* Sends `request` and a newline: 0 or -1. */
int client_send(int fd, const char *request, char why[static CLIENT_WHY]) NONNULL MUSTCHECK;

/* Sends `request` and a newline: the answer without its newline, malloc'ed, or NULL. */
char *client_ask(int fd, const char *request, char why[static CLIENT_WHY]) NONNULL;

#endif
