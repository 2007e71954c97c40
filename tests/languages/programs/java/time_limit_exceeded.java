public class Main {
    static volatile int count;

    public static void main(String[] args) {
        while (true) count++;
    }
}
