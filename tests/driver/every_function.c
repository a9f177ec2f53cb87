/* Calls every function of the library once, as a program would that has only the header; prints what came of each. */
#include "sscard.h"

#include <stdio.h>
#include <stdlib.h>

#define CARD "51010000D15600000512345678901234|A12345678|"
#define TELL(name, bytes, ...)                                         \
  do {                                                                 \
    char *out = malloc(bytes); /* its end is watched by sanitizers */  \
    long code = name(__VA_ARGS__, out);                                \
    printf("%s|%ld|%d|%s\n", #name, code, (int)code, out);             \
    free(out);                                                         \
  } while (0)
#define TELL_PAIR(name)                                                               \
  do {                                                                                \
    char *first = malloc(SSCARD_EXTRA_BYTES), *second = malloc(SSCARD_EXTRA_BYTES);   \
    long code = name(first, second);                                                  \
    printf("%s|%ld|%d|%s|%s\n", #name, code, (int)code, first, second);               \
    free(first);                                                                      \
    free(second);                                                                     \
  } while (0)

int main(void) {
  TELL(iReadCardBas, SSCARD_BASIC_BYTES, 3);
  TELL(iReadCardBas_HSM_Step1, SSCARD_BASIC_BYTES, 3);
  TELL(iReadCardBas_HSM_Step2, SSCARD_BASIC_BYTES, "0123456789ABCDEF|");
  TELL(iReadCard, SSCARD_DATA_BYTES, 3, 1, CARD, "SSSEEF06|08|09|$");
  TELL(iReadCard_HSM_Step1, SSCARD_BASIC_BYTES, 3, CARD, "DF01EF0A|37|$");
  TELL(iReadCard_HSM_Step2, SSCARD_DATA_BYTES, "0123456789ABCDEF");
  TELL(iWriteCard, SSCARD_BASIC_BYTES, 3, CARD, "DF01EF06|31|$", "DF01EF06|1|$");
  TELL(iWriteCard_HSM_Step1, SSCARD_BASIC_BYTES, 3, CARD, "DF01EF06|31|$");
  TELL(iWriteCard_HSM_Step2, SSCARD_BASIC_BYTES, "0123456789ABCDEF", "DF01EF06|1|$");
  TELL(iVerifyPIN, SSCARD_PIN_BYTES, 3);
  TELL(iChangePIN, SSCARD_PIN_BYTES, 3);
  TELL(iReloadPIN, SSCARD_PIN_BYTES, 3, CARD);
  TELL(iReloadPIN_HSM_Step1, SSCARD_PIN_BYTES, 3, CARD);
  TELL(iReloadPIN_HSM_Step2, SSCARD_PIN_BYTES, "0123456789ABCDEF");
  TELL(iReloadPIN_HSM_Step3, SSCARD_PIN_BYTES, "0123456789ABCDEF");
  TELL(iUnblockPIN, SSCARD_PIN_BYTES, 3, CARD);
  TELL(iUnblockPIN_HSM_Step1, SSCARD_PIN_BYTES, 3, CARD);
  TELL(iUnblockPIN_HSM_Step2, SSCARD_PIN_BYTES, "0123456789ABCDEF");
  TELL(iUnblockPIN_HSM_Step3, SSCARD_PIN_BYTES, "0123456789ABCDEF");
  TELL(iDoDebit, SSCARD_PIN_BYTES, 3, CARD, "10.00|8.00|20260101120000|");
  TELL(iDoDebit_HSM_Step1, SSCARD_PIN_BYTES, 3, CARD, "10.00|8.00|20260101120000|");
  TELL(iDoDebit_HSM_Step2, SSCARD_PIN_BYTES, "0123456789ABCDEF");
  TELL(iReadDebitRecord, SSCARD_RECORDS_BYTES, 3);
  TELL(PKI_SignData, SSCARD_BASIC_BYTES, "", "to be signed", 1);
  TELL(PKI_VerifySign, SSCARD_BASIC_BYTES, "", "certificate", "to be signed", "signature", 1);
  TELL(iReadCardNo, SSCARD_EXTRA_BYTES, 3);
  TELL(iReadBankNumber, SSCARD_EXTRA_BYTES, 3);
  TELL_PAIR(iReadICCardNum);
  TELL_PAIR(iGetReaderInfo);
  return 0;
}
