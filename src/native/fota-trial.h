/*
 * Trial boots: how often a new image may start before the bootloader goes back.
 * The bootloader alone gives one start (NEW → PENDING_VERIFY → ABORTED); this gives three,
 * by putting PENDING_VERIFY back to NEW at the very start of each, and counts them in the
 * record's own seq_label, where nobody else looks. Both are writes that only clear bits,
 * so no erase, and no moment without a record. It has a
 * constructor, which runs before app_main and JavaScript, so that little can go wrong
 * earlier; what it counted is asked by fota-boot.c.
 *
 * seq_label, which is all ones in a fresh record:
 *   bytes 0–3  a bit cleared for each start that counts (maximum FOTA_TRIAL_BOOTS)
 *   bytes 4–7  a bit cleared for each start after a loss of power (FOTA_TRIAL_POWER_BOOTS)
 *   bytes 8–11 zeros once the image is confirmed, or if it ran before it had a record (fota-otadata.h)
 *   bytes 12–15 zeros if the bootloader was seen not to put the image on trial: kept by the confirmation, so it
 *              is known at later starts too, until the records are written anew by cable, as a bootloader is
 *
 * A start counts for how the one before it ended. Loss of power, brown-out and the reset
 * button are no fault of the image; but an image may hang until somebody pulls the plug, or
 * cause the brown-out itself, so these are bounded too, and then count as the others do. An
 * image that is never confirmed starts at most 3 + 8 times. The last start is not put back
 * to NEW: whatever ends it ends the trial.
 */
#ifndef FOTA_TRIAL_H
#define FOTA_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "fota-otadata.h"

#define FOTA_TRIAL_BOOTS 3u
#define FOTA_TRIAL_POWER_BOOTS 8u

/* Starts that one record has counted, and those that power excused, whatever became of it. */
uint32_t fotaTrialBoots(const FotaOtadataRecord *otadata, int index);
uint32_t fotaTrialPowerBoots(const FotaOtadataRecord *otadata, int index);
uint32_t fotaTrialBootsMax(const FotaOtadataRecord *otadata);

/* False if this start, or a record of an earlier one, shows that the bootloader does not put new images on trial. */
bool fotaTrialHasBootloaderRollback(void);

#endif
