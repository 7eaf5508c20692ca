// Where the chart comes from: Cilium's own repository, as a Go module, so that its hash is pinned and checked.
module inferadb.com/acceptance-tests/tools/cilium/chart

go 1.26.6

require github.com/cilium/cilium v1.20.2
