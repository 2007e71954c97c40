module main;
    reg state = 0;
    always #1 state = ~state;
endmodule
