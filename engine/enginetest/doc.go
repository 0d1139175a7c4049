// Package enginetest is what tests of the planner share: a runner for scripts, generators of
// snapshots, the laws that every decision obeys, and a slow planner that tries everything.
//
// A script is a text file of blocks. A block is a command, perhaps with lines of its own, then
// a line of four dashes, then what it prints. Blocks are separated by an empty line.
//
//	# Lines that start with # are for people.
//	offer small zone=a,b cpu=4 mem=16Gi price=0.10
//	pool general weight=10 req="arch In amd64" taint=team=x:NoSchedule limit.cpu=100
//	node old zone=a cpu=4 mem=16Gi
//	run old web-0 cpu=1 label.app=web
//	daemon logs cpu=100m
//	pods
//	web-1 cpu=1 label.app=web spread="zone 1 app=web"
//	plan
//	----
//	open n1 …
//
// A node with type= is one that was bought from that offer. refit proposes moves of such nodes:
//
//	node n1 type=small zone=a
//	refit mode=balanced budget=2 payback=1h pod-price=0.001 min-saving=0.05
//
// Nothing but tests may import it.
package enginetest
