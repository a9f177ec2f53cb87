#include <stdio.h>  // pharmacy STATION REQUEST: an activation at a pharmacy counter, line by line as it is told
#include <string.h> // cc -DSOCKET='"/run/cardd/cardd.sock"' -o pharmacy pharmacy.c
#include <sys/socket.h>
#include <sys/un.h>
#define ASK(method, params) "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"" method "\",\"params\":{" params "}}\n"
int main(int count, char **arg) {
  static char line[1 << 20]; struct sockaddr_un cardd = {AF_UNIX, SOCKET};
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (count != 3 || connect(fd, (struct sockaddr *)&cardd, sizeof cardd) != 0) return 2;
  dprintf(fd, ASK("events.subscribe", "\"readers\":[\"%s\"]"), arg[1]);
  dprintf(fd, ASK("activation.start", "\"route\":\"pharmacy\",\"station\":\"%s\",\"request\":\"%s\""), arg[1], arg[2]);
  for (FILE *in = fdopen(fd, "r"); fgets(line, sizeof line, in) && fputs(line, stdout) >= 0;)
    if (strstr(line, "\"ended_in\":") || strstr(line, "\"ended\":\"") || strstr(line, "\"error\":{"))
      return !strstr(line, "\"state\":\"completed\"");
}
