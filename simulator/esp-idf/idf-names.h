/* lwip's resolver, seen from the event loop. */
#ifndef FOTA_IDF_NAMES_H
#define FOTA_IDF_NAMES_H

/* Answers the questions whose time has come. */
void idf_names_run(void);

#endif
