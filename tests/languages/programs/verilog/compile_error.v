module main;
    initial missing = 1;
endmodule
