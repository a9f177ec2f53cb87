/* The national terminal driver's functions (LD/T 33-2015, notice 人社信息函[2016]38号), forwarded to cardd.
 *
 * Every function returns 0 when it is done and a negative number when it is not; then the answer's buffer holds a
 * message. Texts are GBK (GB18030) unless SSCARD_CHARSET=utf-8. A buffer for an answer must have the number of bytes
 * that SSCARD_..._BYTES below says for it; never more is written. docs/libsscard.md says the rest.
 */
#ifndef SSCARD_H
#define SSCARD_H

#define SSCARD_BASIC_BYTES 1024    /* iReadCardBas and its steps, all authentication requests, iWriteCard */
#define SSCARD_DATA_BYTES 20480    /* iReadCard, iReadCard_HSM_Step2, and pWriteData */
#define SSCARD_PIN_BYTES 512       /* the functions of the password, iDoDebit */
#define SSCARD_RECORDS_BYTES 2048  /* iReadDebitRecord */
#define SSCARD_EXTRA_BYTES 64      /* each buffer of the four functions that are not in the standard */

#define SSCARD_CARD_INFO_BYTES 128 /* the longest inputs, with the zero byte at their end */
#define SSCARD_KEY_BYTES 128
#define SSCARD_ADDRESS_BYTES 1024
#define SSCARD_PAY_BYTES 512
#define SSCARD_SIGNED_BYTES 20480

#if defined(__GNUC__)
#define SSCARD_API __attribute__((visibility("default")))
#else
#define SSCARD_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* iType: 1 contact, 2 contactless, 3 contact first, 4 contactless first. pCardInfo: "identification code|number|". */
SSCARD_API long iReadCardBas(int iType, char *pOutInfo);
SSCARD_API long iReadCardBas_HSM_Step1(int iType, char *pOutInfo);
SSCARD_API long iReadCardBas_HSM_Step2(const char *pKey, char *pOutInfo);

/* iAuthType, for files that password or key open: 1 password, 2 key. */
SSCARD_API long iReadCard(int iType, int iAuthType, const char *pCardInfo, const char *pFileAddr, char *pOutInfo);
SSCARD_API long iReadCard_HSM_Step1(int iType, const char *pCardInfo, const char *pFileAddr, char *pOutInfo);
SSCARD_API long iReadCard_HSM_Step2(const char *pKey, char *pOutInfo);

SSCARD_API long iWriteCard(int iType, const char *pCardInfo, const char *pFileAddr, const char *pWriteData,
                           char *pOutInfo);
SSCARD_API long iWriteCard_HSM_Step1(int iType, const char *pCardInfo, const char *pFileAddr, char *pOutInfo);
SSCARD_API long iWriteCard_HSM_Step2(const char *pKey, const char *pWriteData, char *pOutInfo);

/* The holder types passwords on the reader's keypad or at a prompt of the desk's program: none is a parameter. */
SSCARD_API long iVerifyPIN(int iType, char *pOutInfo);
SSCARD_API long iChangePIN(int iType, char *pOutInfo);
SSCARD_API long iReloadPIN(int iType, const char *pCardInfo, char *pOutInfo);
SSCARD_API long iReloadPIN_HSM_Step1(int iType, const char *pCardInfo, char *pOutInfo);
SSCARD_API long iReloadPIN_HSM_Step2(const char *pKey, char *pOutInfo);
SSCARD_API long iReloadPIN_HSM_Step3(const char *pKey, char *pOutInfo);
SSCARD_API long iUnblockPIN(int iType, const char *pCardInfo, char *pOutInfo);
SSCARD_API long iUnblockPIN_HSM_Step1(int iType, const char *pCardInfo, char *pOutInfo);
SSCARD_API long iUnblockPIN_HSM_Step2(const char *pKey, char *pOutInfo);
SSCARD_API long iUnblockPIN_HSM_Step3(const char *pKey, char *pOutInfo);

SSCARD_API long iDoDebit(int iType, const char *pCardInfo, const char *pPayInfo, char *pOutInfo);
SSCARD_API long iDoDebit_HSM_Step1(int iType, const char *pCardInfo, const char *pPayInfo, char *pOutInfo);
SSCARD_API long iDoDebit_HSM_Step2(const char *pKey, char *pOutInfo);
SSCARD_API long iReadDebitRecord(int iType, char *pOutInfo);

/* pUserPin is looked at by nobody and sent nowhere. */
SSCARD_API long PKI_SignData(const char *pUserPin, const char *pInData, int iType, char *pOutInfo);
SSCARD_API long PKI_VerifySign(const char *pUserPin, const char *pCert, const char *pClearText,
                               const char *pSignature, int iType, char *pOutInfo);

/* Not in the standard; the forms that drivers in the field have. Messages go to the last buffer. */
SSCARD_API long iReadCardNo(int iType, char *pOutInfo);
SSCARD_API long iReadBankNumber(int iType, char *pOutInfo);
SSCARD_API long iReadICCardNum(char *pCardNum, char *pErrMsg);
SSCARD_API long iGetReaderInfo(char *pReaderSN, char *pPsamTermNo);

#ifdef __cplusplus
}
#endif

#endif
