/* xs-fota-sim compile: see compile.c. Returns the exit code. */
#ifndef FOTA_COMPILE_H
#define FOTA_COMPILE_H

int compile_main(int argc, char **argv);

#endif
