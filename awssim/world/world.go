package world

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/dovetail-sh/dovetail/awssim/launchspec"
	"github.com/dovetail-sh/dovetail/catalog"
)

// Config is what a world is made from. New fills in nothing: the caller gives
// every field but the ones marked optional.
type Config struct {
	Seed   uint64
	Clock  clock.Clock
	Region catalog.Region
	// LocalZones are the groups that the account opted in to; optional.
	LocalZones []catalog.Region
	Account    string // 12 digits
	Cluster    Cluster
	Market     Market
	Tags       []launchspec.Tag // discovery tags on private subnets and the cluster's security group

	PendingDelay  time.Duration // pending to running
	BootDelay     time.Duration // launch to the moment user data is read
	StopDelay     time.Duration // shutting-down to terminated
	NodeGoneDelay time.Duration // terminated to EffectGone
	Retention     time.Duration // terminated to no longer described
}

// Cluster is the EKS cluster that instances may join.
type Cluster struct {
	Name        string
	Version     string // "1.36"
	Endpoint    string // "https://127.0.0.1:6443"; empty until it is known
	CA          []byte // PEM; empty until it is known
	ServiceCIDR string
	NodeRoles   []string // names of the IAM roles that may join as nodes
}

// World guards the state with a lock and moves it with the clock.
type World struct {
	clock clock.Clock
	wake  chan struct{} // has room for one: the schedule or the effects changed

	mu    sync.Mutex // guards the fields below
	state *State
	// handling is how many effects Run has taken and not yet carried out.
	handling int
}

// State is everything that is. It is read and changed only inside Do.
type State struct {
	Config
	Now time.Time
	// Lag is how far descriptions lag behind; zero is not at all.
	Lag time.Duration

	Zones           []*Zone // ascending by name
	VPC             VPC
	Subnets         []*Subnet
	Groups          []*SecurityGroup
	Images          []*Image // ascending by id
	Parameters      map[string]Parameter
	KeyPairs        map[string]*KeyPair  // by name
	Templates       map[string]*Template // by id
	Roles           map[string]*Role
	Policies        map[string]*Policy        // customer-managed, by ARN
	Providers       map[string]*OIDCProvider  // by ARN
	AccessEntries   map[string]*AccessEntry   // by the principal's ARN
	Addons          map[string]*Addon         // by name
	Associations    map[string]*PodIdentity   // by id
	Updates         map[string]*ClusterUpdate // by id
	AuthMode        string                    // of the cluster
	ClusterTags     map[string]string
	Profiles        map[string]*Profile    // by name
	Pools           map[Pool]int           // how many more a pool can launch; absent is the market's to say
	Quotas          map[Quota]int          // vCPUs; absent is without end
	Reservations    []*CapacityReservation // in the order they were made
	PlacementGroups []*PlacementGroup      // in the order they were made
	Instances       []*Instance            // in order of launch, those still described

	instanceByID map[string]*Instance
	templateName map[string]*Template
	tokens       map[string]remembered
	stale        map[*[]launchspec.Tag]staleTags // what descriptions still show
	inUse        map[Pool]int
	spending     Spending
	settled      time.Time   // when all instances were last billed
	ghosts       []*Template // deleted, and perhaps still described
	dice         *rand.Rand
	lastOrder    uint64
	events       schedule
	effects      []Effect
}

// New builds the account: network, images, roles. No instance exists yet.
func New(c Config) *World {
	s := &State{
		Config:        c,
		Now:           c.Clock.Now(),
		Parameters:    map[string]Parameter{},
		Templates:     map[string]*Template{},
		KeyPairs:      map[string]*KeyPair{},
		Policies:      map[string]*Policy{},
		Providers:     map[string]*OIDCProvider{},
		AccessEntries: map[string]*AccessEntry{},
		Addons:        map[string]*Addon{},
		Associations:  map[string]*PodIdentity{},
		Updates:       map[string]*ClusterUpdate{},
		AuthMode:      AuthBoth,
		ClusterTags:   map[string]string{},
		Roles:         map[string]*Role{},
		Profiles:      map[string]*Profile{},
		Pools:         map[Pool]int{},
		Quotas:        map[Quota]int{},
		instanceByID:  map[string]*Instance{},
		templateName:  map[string]*Template{},
		tokens:        map[string]remembered{},
		inUse:         map[Pool]int{},
		stale:         map[*[]launchspec.Tag]staleTags{},
		dice:          rand.New(rand.NewPCG(c.Seed, 0x646f766574)),
	}
	s.buildNetwork()
	s.buildImages()
	s.buildRoles()
	if s.Market.Moving {
		s.after(marketTick, s.tick)
	}
	return &World{clock: c.Clock, wake: make(chan struct{}, 1), state: s}
}

// Do runs f on the state at the clock's time. f must not keep the state, nor
// call out.
func (w *World) Do(f func(*State) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state.advance(w.clock.Now())
	err := f(w.state)
	w.poke()
	return err
}

// Run carries the world forward until ctx ends: it waits for the next
// scheduled moment and gives each effect to handle, one at a time.
func (w *World) Run(ctx context.Context, handle func(context.Context, Effect)) {
	for {
		var effects []Effect
		wait := time.Hour
		_ = w.Do(func(s *State) error {
			effects, s.effects = s.effects, nil
			w.handling = len(effects)
			if next, ok := s.events.next(); ok {
				wait = max(0, next.Sub(s.Now))
			}
			return nil
		})
		for _, e := range effects {
			handle(ctx, e)
		}
		if len(effects) > 0 {
			continue
		}
		timer := w.clock.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C():
		case <-w.wake:
			timer.Stop()
		}
	}
}

// Chance is a number from 0 to 1 that depends on the seed, a name and a count
// alone.
func (w *World) Chance(name string, n int64) float64 { return w.state.chance(name, n) }

// Wake has Run look again, because the clock runs at another speed.
func (w *World) Wake() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Settled says that nothing is due at the clock's time and all that came of
// what was due is carried out.
func (w *World) Settled() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state.advance(w.clock.Now())
	w.poke()
	return len(w.state.effects) == 0 && w.handling == 0
}

// poke tells Run to look again, unless it is told already. w.mu is held.
func (w *World) poke() {
	if len(w.state.effects) == 0 && !w.state.events.changed {
		return
	}
	w.state.events.changed = false
	w.Wake()
}

// Shuffle puts n things into an order that the dice decide.
func (s *State) Shuffle(n int, swap func(i, j int)) { s.dice.Shuffle(n, swap) }

// id makes a resource id of EC2's form: prefix and 17 hexadecimal digits.
func (s *State) id(prefix string) string {
	return fmt.Sprintf("%s-0%016x", prefix, s.dice.Uint64())
}

// UUID makes an id of the form that requests, fleets and messages have.
func (s *State) UUID() string {
	a, b := s.dice.Uint64(), s.dice.Uint64()
	return fmt.Sprintf(
		"%08x-%04x-4%03x-%04x-%012x",
		a>>32,
		a>>16&0xffff,
		a&0xfff,
		b>>48&0x3fff|0x8000,
		b&0xffffffffffff,
	)
}

// fate is a number that depends on the seed and the words alone, so that what
// it decides stays the same in every run and every order of calls.
func (s *State) fate(words ...string) uint64 {
	h := fnv.New64a()
	var buffer [64]byte
	text := strconv.AppendUint(buffer[:0], s.Seed, 10)
	for _, w := range words {
		text = append(append(text, 0), w...)
	}
	h.Write(text) // never fails
	v := h.Sum64()
	v ^= v >> 33 // FNV's high bits mix poorly on short words
	v *= 0xff51afd7ed558ccd
	return v ^ v>>33
}

// fixedID is an id that depends on the seed and the words alone.
func (s *State) fixedID(prefix string, words ...string) string {
	return fmt.Sprintf("%s-0%016x", prefix, s.fate(append(words, prefix)...))
}

// ARN makes a resource name in this account.
func (s *State) ARN(service, resource string) string {
	region := s.Region.Name
	if service == "iam" {
		region = ""
	}
	return fmt.Sprintf("arn:%s:%s:%s:%s:%s", s.Partition(), service, region, s.Account, resource)
}

// Caller is the ARN of whoever calls: all calls come from one user.
func (s *State) Caller() string { return s.ARN("iam", "user/simulated") }

// CallerID is the id of that user.
func (s *State) CallerID() string { return s.iamID("AIDA", "simulated") }

// Partition is "aws", "aws-us-gov" or "aws-cn".
func (s *State) Partition() string { return PartitionOf(s.Region.Name) }

// PartitionOf is the partition of a region.
func PartitionOf(region string) string {
	switch {
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	}
	return "aws"
}
