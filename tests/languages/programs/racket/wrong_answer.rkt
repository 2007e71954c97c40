#lang racket/base

(displayln 0)
