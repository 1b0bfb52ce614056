/*
 * The two boot records (otadata): what the bootloader will make of them, and the one
 * rule we add: before a slot is erased, no record but the running slot's is left.
 * Called by fota-trial.c and fota-flash.c; knows nothing of JavaScript.
 *
 * A record is 32 bytes at the start of each of two sectors; the CRC covers the sequence
 * number alone, (sequence − 1) % slots is the slot it names. Of two valid records the
 * higher sequence counts; INVALID and ABORTED ones are never followed.
 */
#ifndef FOTA_OTADATA_H
#define FOTA_OTADATA_H

#include <stdbool.h>
#include <stdint.h>

#include "esp_err.h"
#include "esp_flash_partitions.h"
#include "esp_partition.h"

#define FOTA_SLOT_FACTORY (-1)
#define FOTA_SLOT_NONE (-2)

/* In seq_label: zeros mark a record that shall be VALID. See fota-trial.h. */
#define FOTA_KEPT_OFFSET 8
#define FOTA_KEPT_BYTES 4

struct FotaOtadataRecord {
	const esp_partition_t	*partition;
	esp_ota_select_entry_t	entry[2];
	int						slotCount;
	int						running;	/* slot, or FOTA_SLOT_FACTORY */
	int						active;		/* record the bootloader follows; -1: none */
};
typedef struct FotaOtadataRecord FotaOtadataRecord;
typedef struct FotaOtadataRecord *FotaOtadata;

/* Partition of a slot; NULL if there is none. */
const esp_partition_t *fotaSlotPartition(int slot);

esp_err_t fotaOtadataRead(FotaOtadata otadata);

/* Slot that record `index` makes the bootloader try; FOTA_SLOT_NONE if it is not followed. */
int fotaOtadataSlot(const FotaOtadataRecord *otadata, int index);

/* The sound record that names the slot, whatever its state; of two the later; -1: none. */
int fotaOtadataIndex(const FotaOtadataRecord *otadata, int slot);

/*
 * The record that the bootloader follows is the running slot's, and undecided: NEW,
 * PENDING_VERIFY, or a state that nobody writes. The bootloader erases the record to change
 * its state; a cut in there can leave that, and it would boot the image without limit. Also
 * one that looks confirmed because it was cut off while it was written.
 */
bool fotaOtadataIsOnTrial(const FotaOtadataRecord *otadata);

/*
 * Afterwards the running slot's record, VALID, is the only one, or, when
 * factory runs, there is none. Writes nothing where that holds. Every cut within leaves
 * records under which the running image starts again.
 */
esp_err_t fotaOtadataKeepRunning(FotaOtadata otadata);

/* Marks the record the bootloader follows as one that shall be VALID; it becomes so by the write that follows. */
esp_err_t fotaOtadataMarkKept(FotaOtadata otadata);

/* Erases one record's sector; a cut at any moment leaves no record that could be followed by mistake. */
esp_err_t fotaOtadataErase(FotaOtadata otadata, int index);

#endif
