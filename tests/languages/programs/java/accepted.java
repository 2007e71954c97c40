import java.util.*;

public class Summing {
    record Numbers(List<Long> all) {
        long sum() {
            return all.stream().mapToLong(Long::longValue).sum();
        }
    }

    public static void main(String[] args) {
        var input = new Scanner(System.in);
        int count = input.nextInt();
        var all = new ArrayList<Long>();
        for (int i = 0; i < count; i++) all.add(input.nextLong());
        System.out.println(new Numbers(all).sum());
    }
}
