/*
 * C side of fota-names.ts: lwip's resolver, which may be used in lwip's own task alone. It is
 * asked there, by a message, and answers there; what it says stays in a place of the table
 * until JavaScript looks (threat: a network that answers, or stays silent, at whatever
 * moment). The table is the module's own and lives as long as the chip runs, so that an answer
 * that comes late has somewhere to go. No call waits.
 */

#include "fota-native.h"

#include "esp_netif.h"
#include "lwip/dns.h"
#include "lwip/tcpip.h"

/* As many as lwip asks for at once (DNS_TABLE_SIZE). */
#define QUESTIONS_MAX 4
/* The longest name that there is, and its end. */
#define NAME_BYTES 254

enum { FREE, ASKED, FOUND, NONE };

struct QuestionRecord {
	xsIntegerValue	handle;
	uint32_t		state;	/* lwip's task alone changes it while ASKED, and JavaScript's otherwise */
	ip4_addr_t		address;
	char			name[NAME_BYTES];
};
typedef struct QuestionRecord QuestionRecord;
typedef struct QuestionRecord *Question;

static QuestionRecord gQuestions[QUESTIONS_MAX];
static xsIntegerValue gLastHandle;

/* In lwip's task. The address is there before the state says so, on a second core too. */
static void setAnswer(const char *name, const ip_addr_t *address, void *it)
{
	Question question = it;
	bool isUsable = address && IP_IS_V4(address);
	(void)name;
	if (isUsable)
		question->address = *ip_2_ip4(address);
	__atomic_store_n(&question->state, isUsable ? FOUND : NONE, __ATOMIC_RELEASE);
}

/* In lwip's task. */
static void askResolver(void *it)
{
	Question question = it;
	ip_addr_t addresses[DNS_MAX_HOST_IP];
	err_t err = dns_gethostbyname_addrtype(question->name, addresses, setAnswer, question, LWIP_DNS_ADDRTYPE_IPV4);
	if (ERR_INPROGRESS != err)
		setAnswer(NULL, ERR_OK == err ? addresses : NULL, question);
}

static uint32_t stateOf(Question question)
{
	return __atomic_load_n(&question->state, __ATOMIC_ACQUIRE);
}

static Question findFree(void)
{
	for (int i = 0; i < QUESTIONS_MAX; i++) {
		if (FREE == stateOf(&gQuestions[i]))
			return &gQuestions[i];
	}
	return NULL;
}

void xs_fota_names_ask(xsMachine *the)
{
	char name[NAME_BYTES];
	fotaNeedArguments(the, 1);
	xsmcToStringBuffer(xsArg(0), name, sizeof(name));
	Question question = findFree();
	xsmcSetInteger(xsResult, 0);
	/* lwip's task is there once an interface is; without it a message to it would abort. */
	if (!question || esp_netif_get_nr_of_ifs() == 0)
		return;
	memcpy(question->name, name, sizeof(name));
	question->state = ASKED;
	if (ERR_OK != tcpip_try_callback(askResolver, question)) {
		question->state = FREE;
		return;
	}
	gLastHandle = gLastHandle < INT32_MAX ? gLastHandle + 1 : 1;
	question->handle = gLastHandle;
	xsmcSetInteger(xsResult, gLastHandle);
}

static Question findQuestion(xsIntegerValue handle)
{
	for (int i = 0; i < QUESTIONS_MAX; i++) {
		if (FREE != stateOf(&gQuestions[i]) && handle == gQuestions[i].handle)
			return &gQuestions[i];
	}
	return NULL;
}

void xs_fota_names_answer(xsMachine *the)
{
	char text[sizeof("255.255.255.255")] = "";
	fotaNeedArguments(the, 1);
	Question question = findQuestion((xsIntegerValue)fotaToWhole(the, &xsArg(0), 1, INT32_MAX));
	uint32_t state = question ? stateOf(question) : NONE;
	if (ASKED == state)
		return;
	if (FOUND == state)
		ip4addr_ntoa_r(&question->address, text, sizeof(text));
	if (question)
		question->state = FREE;
	xsmcSetString(xsResult, text);
}
