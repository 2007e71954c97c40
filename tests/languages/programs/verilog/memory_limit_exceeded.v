module main;
    reg [65535:0] held [$];
    integer i;
    initial
        for (i = 0; i >= 0; i = i + 0) held.push_back({65536{1'b1}});
endmodule
