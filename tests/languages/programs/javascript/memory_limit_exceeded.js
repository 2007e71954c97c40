const held = [];
for (;;) held.push(new Array(1 << 16).fill(0.5));
