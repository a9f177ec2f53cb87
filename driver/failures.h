/* What the library itself answers when the function was not called, or its answer did not come: the national numbers
 * (annex A of the notice) and what the buffer then holds. */
#ifndef SSCARD_FAILURES_H
#define SSCARD_FAILURES_H

#define FAILURES(F)                                                                                                  \
  F(FINE, 0, "")                                                                                                     \
  F(DAEMON_AWAY, -5, "读卡服务(cardd)未启动或无权连接,请检查服务")                                                  \
  F(LATE, -11, "读卡服务超时未应答,请重试")                                                                         \
  F(CONNECTION_LOST, -11, "与读卡服务的连接中断,操作结果未知,请先核对卡内数据")                                     \
  F(ANSWER_UNREADABLE, -11, "读卡服务的应答无法识别")                                                               \
  F(REFUSED, -13, "读卡服务拒绝了该功能")                                                                           \
  F(ARGUMENT, -14, "参数为空或过长")                                                                                \
  F(ANSWER_TOO_LONG, -42, "应答超出输出缓冲区长度")                                                                 \
  F(SETTING, -14, "环境变量SSCARD_...有误,见docs/libsscard.md")                                                    \
  F(MEMORY, -14, "内存不足或参数过长")                                                                              \
  F(CHARACTERS, -41, "参数含有非法字符")                                                                              \
  F(NO_RIGHT, -13, "当前用户无权输入密码(需要observe和pin权限)")                                                      \
  F(HELPER_BROKEN, -14, "密码输入程序(SSCARD_PIN_HELPER)无法运行或输出有误")                                          \
  F(PIN_CANCELLED, -31, "持卡人取消了密码输入")                                                                     \
  F(PIN_LATE, -32, "密码输入超时")                                                                                  \
  F(PIN_LENGTH, -33, "密码长度有误,应为4至16位数字")                                                               \
  F(PINS_DIFFER, -34, "两次输入的新密码不一致")                                                                     \
  F(OVERTAKEN, 0, "") /* the call has ended while the holder was asked: its answer says how */

#define FAILURE_NAME(name, code, text) name,
enum failure { FAILURES(FAILURE_NAME) };
#undef FAILURE_NAME

int failure_code(enum failure failure);
const char *failure_text(enum failure failure); /* UTF-8 */

#endif
