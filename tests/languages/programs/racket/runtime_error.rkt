#lang racket/base

(vector-ref (vector 1 2) 1000)
