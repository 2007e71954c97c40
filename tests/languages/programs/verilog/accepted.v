module main;
    integer count, number, sum, i, got;
    initial begin
        got = $fscanf('h8000_0000, "%d", count);
        sum = 0;
        for (i = 0; i < count; i = i + 1) begin
            got = $fscanf('h8000_0000, "%d", number);
            sum = sum + number;
        end
        $display("%0d", sum);
        $finish(0);
    end
endmodule
