package spread

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/feasible"
)

// State holds all tallies of a plan and who is bound by them.
type State struct {
	Counts

	// Classes is by feasible.Table.Classes.
	Classes []Class

	sites          sites
	named          bool            // some tally tells nodes of one profile apart
	newNodeDaemons []newNodeDaemon // ascending by daemon
	representative []int32         // by class: the first that is alike but for requests
}

// Class is how one class of pods takes part in counting.
type Class struct {
	Rules []Rule
	Adds  []int32 // tallies that grow by one for each pod placed

	// Domains is set when a tally of another key than hostname concerns the class, so that
	// the domain of each of its pods has to be known.
	Domains bool
	// Keys are those other keys, ascending.
	Keys []int32
	// Hosts is set when a hostname tally concerns the class.
	Hosts bool
	// AffectedByDaemons is set when a daemon on a new node could shut that node's domain to the class, or be a
	// neighbour that it looks for.
	AffectedByDaemons bool
	// Leaving is set when pods of the class are to leave nodes that they run on. They are spread over hosts as if one
	// more, empty host could always be made: kube-scheduler counts those alone that stay, and with every move the pods
	// would gather on fewer of them.
	Leaving bool
}

// RuleKind is what a rule demands.
type RuleKind uint8

const (
	// Skew allows at most MaxSkew more in the pod's domain than in the emptiest one.
	Skew RuleKind = iota
	// Near demands a counted pod in the domain already.
	Near
	// Apart demands that there is none.
	Apart
)

// Rule is what a class demands of a tally.
type Rule struct {
	Kind  RuleKind
	Tally int32
	Key   int32

	MaxSkew    int32 // at least 1
	MinDomains int32

	// Self is set when pods of the class are counted by the tally themselves.
	Self bool

	// Wish is set for a rule that is only preferred. Domains that take no more pods do not hold the others back then.
	Wish bool

	// Universe are the domains that count for the minimum besides those that have nodes:
	// those in which a node could be opened for the class. Filled by SetUniverse. kube-scheduler knows nothing of
	// them; the plan spreads over them as long as it can.
	universe []bool

	// withheld are domains of the universe in which no node can be opened any more, because others took what is scarce.
	withheld []int32

	// all are the tallies of all Near rules of the class. Only if none has counted a pod may one that counts itself
	// be the first.
	all []int32

	// Port is set for a rule about a host port: protocol and number.
	Port string
}

// New compiles all rules of the classes to be placed, and counts the pods that run.
func New(t *feasible.Table) *State {
	s := &State{Counts: Counts{table: t, byKey: map[string]int32{}}}
	b := &ruleBuilder{State: s, byText: map[string]int32{}}
	s.Classes = make([]Class, len(t.Classes))
	findEquivalent(s)
	for i, c := range t.Classes {
		if s.isRepresentative(i) {
			b.bind(i, c)
		}
	}
	b.bindBySymmetry()
	s.Tallies = slices.Clip(s.Tallies)
	if len(s.Tallies) == 0 {
		return s
	}
	b.nameDomains()
	b.countRunning()
	for i := range s.Tallies {
		s.Tallies[i].running = slices.Clone(s.Tallies[i].Count)
		s.Tallies[i].standing = slices.Clone(s.Tallies[i].Nodes)
	}
	b.involve()
	copyToEquivalent(s)
	for i, c := range t.Classes {
		s.Classes[i].Leaving = t.Leaves(c)
	}
	findDaemonsThatMatter(s)
	return s
}
