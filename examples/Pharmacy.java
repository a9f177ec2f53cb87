// java Pharmacy.java STATION REQUEST: an activation at a pharmacy counter, and what the clerk has to do. Java 17.
import java.io.*;
import java.nio.channels.*;
class Pharmacy {
  public static void main(String[] args) throws IOException {
    var path = System.getenv().getOrDefault("CARDD_SOCKET", "/run/cardd/cardd.sock");
    var cardd = SocketChannel.open(java.net.UnixDomainSocketAddress.of(path));
    new PrintStream(Channels.newOutputStream(cardd), true, "UTF-8").printf("""
    {"jsonrpc":"2.0","id":1,"method":"events.subscribe","params":{"readers":["%1$s"]}}
    {"jsonrpc":"2.0","id":2,"method":"activation.start","params":{"route":"pharmacy","station":"%1$s","request":"%2$s"}}
    """, args[0], args[1]);
    new BufferedReader(Channels.newReader(cardd, "UTF-8")).lines().forEach(line -> {
      if (line.contains("\"zh-CN\"")) System.out.println(line.replaceAll(".*\"zh-CN\":\"([^\"]*)\".*", "$1"));
      if (line.matches(".*\"(ended_in\":|ended\":\"|error\":).*")) System.exit(line.contains("\"completed\"") ? 0 : 1);
    });}}
