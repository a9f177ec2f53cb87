/* Every function of the library is a row: its name, its shape, the bytes of its answer's buffer, and how many passwords
 * its holder may have to type meanwhile. */
#include "sscard.h"

#include "call.h"

#define FUNCTIONS(F)                                               \
  F(iReadCardBas, TYPE, SSCARD_BASIC_BYTES, 0)                     \
  F(iReadCardBas_HSM_Step1, TYPE, SSCARD_BASIC_BYTES, 0)           \
  F(iReadCardBas_HSM_Step2, KEY, SSCARD_BASIC_BYTES, 0)            \
  F(iReadCard, READ, SSCARD_DATA_BYTES, 1)                         \
  F(iReadCard_HSM_Step1, TYPE_CARD_FILES, SSCARD_BASIC_BYTES, 1)   \
  F(iReadCard_HSM_Step2, KEY, SSCARD_DATA_BYTES, 1)                \
  F(iWriteCard, WRITE, SSCARD_BASIC_BYTES, 1)                      \
  F(iWriteCard_HSM_Step1, TYPE_CARD_FILES, SSCARD_BASIC_BYTES, 1)  \
  F(iWriteCard_HSM_Step2, KEY_DATA, SSCARD_BASIC_BYTES, 1)         \
  F(iVerifyPIN, TYPE, SSCARD_PIN_BYTES, 1)                         \
  F(iChangePIN, TYPE, SSCARD_PIN_BYTES, 3)                         \
  F(iReloadPIN, TYPE_CARD, SSCARD_PIN_BYTES, 2)                    \
  F(iReloadPIN_HSM_Step1, TYPE_CARD, SSCARD_PIN_BYTES, 2)          \
  F(iReloadPIN_HSM_Step2, KEY, SSCARD_PIN_BYTES, 2)                \
  F(iReloadPIN_HSM_Step3, KEY, SSCARD_PIN_BYTES, 0)                \
  F(iUnblockPIN, TYPE_CARD, SSCARD_PIN_BYTES, 0)                   \
  F(iUnblockPIN_HSM_Step1, TYPE_CARD, SSCARD_PIN_BYTES, 0)         \
  F(iUnblockPIN_HSM_Step2, KEY, SSCARD_PIN_BYTES, 0)               \
  F(iUnblockPIN_HSM_Step3, KEY, SSCARD_PIN_BYTES, 0)               \
  F(iDoDebit, TYPE_CARD_PAY, SSCARD_PIN_BYTES, 1)                  \
  F(iDoDebit_HSM_Step1, TYPE_CARD_PAY, SSCARD_PIN_BYTES, 1)        \
  F(iDoDebit_HSM_Step2, KEY, SSCARD_PIN_BYTES, 1)                  \
  F(iReadDebitRecord, TYPE, SSCARD_RECORDS_BYTES, 1)               \
  F(PKI_SignData, SIGN, SSCARD_BASIC_BYTES, 1)                     \
  F(PKI_VerifySign, VERIFY, SSCARD_BASIC_BYTES, 0)                 \
  F(iReadCardNo, TYPE, SSCARD_EXTRA_BYTES, 0)                      \
  F(iReadBankNumber, TYPE, SSCARD_EXTRA_BYTES, 0)

/* Not in the standard: two buffers, and nothing else. */
#define PAIRS(F)                        \
  F(iReadICCardNum, pCardNum, pErrMsg)  \
  F(iGetReaderInfo, pReaderSN, pPsamTermNo)

#define NUMBER(name) {.number = (name)}
#define TEXT(name, bytes) {.text = (name), .room = (bytes)}
#define KEY_TEXT TEXT(pKey, SSCARD_KEY_BYTES)
#define CARD_TEXT TEXT(pCardInfo, SSCARD_CARD_INFO_BYTES)
#define FILES_TEXT TEXT(pFileAddr, SSCARD_ADDRESS_BYTES)
#define DATA_TEXT TEXT(pWriteData, SSCARD_DATA_BYTES)
#define SIGNED_TEXT(name) TEXT(name, SSCARD_SIGNED_BYTES)
/* In its place: a password leaves the program of the caller by no function. */
#define NO_PASSWORD TEXT(((void)pUserPin, ""), 1)

#define PARAMETERS_TYPE int iType
#define ARGUMENTS_TYPE NUMBER(iType)
#define PARAMETERS_KEY const char *pKey
#define ARGUMENTS_KEY KEY_TEXT
#define PARAMETERS_READ int iType, int iAuthType, const char *pCardInfo, const char *pFileAddr
#define ARGUMENTS_READ NUMBER(iType), NUMBER(iAuthType), CARD_TEXT, FILES_TEXT
#define PARAMETERS_TYPE_CARD_FILES int iType, const char *pCardInfo, const char *pFileAddr
#define ARGUMENTS_TYPE_CARD_FILES NUMBER(iType), CARD_TEXT, FILES_TEXT
#define PARAMETERS_WRITE int iType, const char *pCardInfo, const char *pFileAddr, const char *pWriteData
#define ARGUMENTS_WRITE NUMBER(iType), CARD_TEXT, FILES_TEXT, DATA_TEXT
#define PARAMETERS_KEY_DATA const char *pKey, const char *pWriteData
#define ARGUMENTS_KEY_DATA KEY_TEXT, DATA_TEXT
#define PARAMETERS_TYPE_CARD int iType, const char *pCardInfo
#define ARGUMENTS_TYPE_CARD NUMBER(iType), CARD_TEXT
#define PARAMETERS_TYPE_CARD_PAY int iType, const char *pCardInfo, const char *pPayInfo
#define ARGUMENTS_TYPE_CARD_PAY NUMBER(iType), CARD_TEXT, TEXT(pPayInfo, SSCARD_PAY_BYTES)
#define PARAMETERS_SIGN const char *pUserPin, const char *pInData, int iType
#define ARGUMENTS_SIGN NO_PASSWORD, SIGNED_TEXT(pInData), NUMBER(iType)
#define PARAMETERS_VERIFY \
  const char *pUserPin, const char *pCert, const char *pClearText, const char *pSignature, int iType
#define ARGUMENTS_VERIFY \
  NO_PASSWORD, SIGNED_TEXT(pCert), SIGNED_TEXT(pClearText), SIGNED_TEXT(pSignature), NUMBER(iType)

#define COUNT(array) (sizeof(array) / sizeof *(array))

#define FUNCTION(name, shape, bytes, typed)                                        \
  long name(PARAMETERS_##shape, char *pOutInfo) {                                  \
    const struct argument arguments[] = {ARGUMENTS_##shape};                       \
    return sscard_call(&(struct call){#name, arguments, COUNT(arguments), typed},  \
                       &(struct buffer){pOutInfo, bytes}, 1);                      \
  }
FUNCTIONS(FUNCTION)

#define PAIR(name, first, second)                                                                   \
  long name(char *first, char *second) {                                                            \
    const struct buffer buffers[] = {{first, SSCARD_EXTRA_BYTES}, {second, SSCARD_EXTRA_BYTES}};    \
    return sscard_call(&(struct call){#name, NULL, 0, 0}, buffers, COUNT(buffers));                 \
  }
PAIRS(PAIR)
