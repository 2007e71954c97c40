#lang racket

(define count (read))
(displayln (for/sum ([_ (in-range count)]) (read)))
