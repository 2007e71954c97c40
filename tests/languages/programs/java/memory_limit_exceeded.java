import java.util.*;

public class Main {
    public static void main(String[] args) {
        var held = new ArrayList<byte[]>();
        while (true) held.add(new byte[1 << 20]);
    }
}
