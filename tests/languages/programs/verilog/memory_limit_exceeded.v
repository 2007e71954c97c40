module main;
    reg [1023:0] held [0:4194303];
    integer i;
    initial
        for (i = 0; i < 4194304; i = i + 1) held[i] = i;
endmodule
