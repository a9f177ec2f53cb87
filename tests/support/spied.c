/* Says commands to the card in a reader, as any program does: spied READER HEX…; prints the answers. */
#include <stdio.h>
#include <string.h>
#include <winscard.h>

static int failed(const char *what, LONG code)
{
	fprintf(stderr, "%s: 0x%08lX\n", what, (unsigned long)code);
	return 1;
}

int main(int count, char **words)
{
	SCARDCONTEXT context;
	SCARDHANDLE card;
	DWORD protocol, state, length = 256, atr_length = MAX_ATR_SIZE;
	char name[256];
	BYTE atr[MAX_ATR_SIZE];
	SCARD_READERSTATE reader = {.szReader = words[1]};
	LONG code = SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &context);

	if (count < 2 || code != SCARD_S_SUCCESS)
		return failed("context", code);
	if ((code = SCardGetStatusChange(context, 0, &reader, 1)) != SCARD_S_SUCCESS)
		return failed("state", code);
	code = SCardConnect(context, words[1], SCARD_SHARE_EXCLUSIVE, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1, &card, &protocol);
	if (code != SCARD_S_SUCCESS)
		return failed("connect", code);
	if ((code = SCardStatus(card, name, &length, &state, &protocol, atr, &atr_length)) != SCARD_S_SUCCESS)
		return failed("status", code);
	for (int word = 2; word < count; word++) {
		BYTE command[262], answer[264];
		DWORD sent = strlen(words[word]) / 2, received = sizeof answer;
		SCARD_IO_REQUEST back = {protocol, sizeof back};

		for (DWORD at = 0; at < sent; at++)
			sscanf(words[word] + 2 * at, "%2hhx", &command[at]);
		code = SCardTransmit(card, protocol == SCARD_PROTOCOL_T0 ? SCARD_PCI_T0 : SCARD_PCI_T1, command, sent, &back, answer, &received);
		if (code != SCARD_S_SUCCESS)
			return failed("transmit", code);
		for (DWORD at = 0; at < received; at++)
			printf("%02X", answer[at]);
		printf("\n");
	}
	SCardDisconnect(card, SCARD_RESET_CARD);
	SCardReleaseContext(context);
	return 0;
}
