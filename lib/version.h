/* The version, for every program's --version, popd's report and webd's footer. */
#ifndef LIB_VERSION_H
#define LIB_VERSION_H

#define BROKER_VERSION "0.1.0"

#endif
