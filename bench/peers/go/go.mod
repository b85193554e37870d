module urdume/bench/peers

go 1.26
