package world

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/launchspec"
	"github.com/dovetail-sh/dovetail/catalog"
)

// InstanceState is EC2's state of an instance. The numbers are EC2's codes.
type InstanceState int

const (
	Pending      InstanceState = 0
	Running      InstanceState = 16
	ShuttingDown InstanceState = 32
	Terminated   InstanceState = 48
	Stopping     InstanceState = 64
	Stopped      InstanceState = 80
)

func (st InstanceState) String() string {
	switch st {
	case Pending:
		return "pending"
	case Running:
		return "running"
	case ShuttingDown:
		return "shutting-down"
	case Stopping:
		return "stopping"
	case Stopped:
		return "stopped"
	default:
		return "terminated"
	}
}

// Instance is one machine. What all launches of a template version share is
// behind pointers, so that ten thousand instances stay small.
type Instance struct {
	ID      string
	Order   uint64 // ascending with launches; the cursor of paging
	Type    *catalog.Type
	Image   *Image
	Data    *launchspec.Data // what it was launched with; never changed
	Subnet  *Subnet
	Address netip.Addr // invalid once it is terminated
	Spot    bool
	Tags    []launchspec.Tag // ascending by key

	Boots       int // after the first
	Launched    time.Time
	ReadyAt     time.Time // when pending becomes running
	StoppedAt   time.Time // when termination began; zero until then
	GoneAt      time.Time // when shutting-down becomes terminated
	HaltingAt   time.Time // when stopping began; zero unless it is stopping or stopped
	HaltedAt    time.Time // when stopping becomes stopped
	StateReason string    // code and message with ": " between; empty while it runs

	Reservation string
	SpotRequest string
	Token       string
	Profile     string // name of its instance profile; empty without one

	// Boot says how joining the cluster went: empty until the user data has
	// been read, then the node's name or the reason there is none.
	Node, BootFailure string

	Ailment   *Ailment             // nil while it is well
	Metadata  *launchspec.Metadata // as changed since the launch; nil is as launched
	Reserved  *CapacityReservation // nil outside reservations
	Group     *PlacementGroup      // nil outside groups
	Partition int                  // of its group; 0 for none

	billed              time.Time // until when it is paid; zero is not at all
	interrupted, warned bool      // by the spot market
	released            bool      // its capacity was given back when it stopped
}

// State is what EC2 says of the instance at a time.
func (in *Instance) State(now time.Time) InstanceState {
	switch {
	case !in.GoneAt.IsZero() && !now.Before(in.GoneAt):
		return Terminated
	case !in.StoppedAt.IsZero() && !now.Before(in.StoppedAt):
		return ShuttingDown
	case !in.HaltedAt.IsZero() && !now.Before(in.HaltedAt):
		return Stopped
	case !in.HaltingAt.IsZero() && !now.Before(in.HaltingAt):
		return Stopping
	case now.Before(in.ReadyAt):
		return Pending
	default:
		return Running
	}
}

func (in *Instance) capacity() string {
	if in.Spot {
		return Spot
	}
	return OnDemand
}

// Pool is where the instance's capacity came from.
func (in *Instance) Pool() Pool { return Pool{in.Type.Name, in.Subnet.Zone.Name, in.capacity()} }

// Lifecycle is how the instance was bought, in EC2's words.
func (in *Instance) Lifecycle() string {
	if in.Reserved != nil && in.Reserved.market() != "" {
		return in.Reserved.market()
	}
	return in.capacity()
}

// Name returns the value of the tag Name.
func (in *Instance) Name() string {
	for _, t := range in.Tags {
		if t.Key == "Name" {
			return t.Value
		}
	}
	return ""
}

// order is what is asked of one launch.
type order struct {
	Type        *catalog.Type
	Image       *Image
	Data        *launchspec.Data
	Subnet      *Subnet
	Spot        bool
	Tags        []launchspec.Tag
	Token       string
	Reservation string
}

// launch makes one instance, or says why it can not be.
func (s *State) launch(o order) (*Instance, error) {
	if err := s.checkLaunch(o); err != nil {
		return nil, err
	}
	profile, err := s.launchProfile(o.Data.IamInstanceProfile)
	if err != nil {
		return nil, err
	}
	pool := Pool{o.Type.Name, o.Subnet.Zone.Name, OnDemand}
	if o.Spot {
		pool.Capacity = Spot
	}
	group, partition, err := s.place(o)
	if err != nil {
		return nil, err
	}
	reserved, err := s.reservationFor(o)
	if err != nil {
		return nil, err
	}
	if err := s.checkQuota(o.Type, pool.Capacity); err != nil {
		return nil, err
	}
	more := o.Data.Addresses() - 1
	addr, err := o.Subnet.take(more)
	if err != nil {
		return nil, err
	}
	if err := s.acquire(reserved, pool); err != nil {
		o.Subnet.giveBack(addr, more)
		return nil, err
	}
	s.lastOrder++
	in := &Instance{
		ID: s.id(
			"i",
		),
		Order:       s.lastOrder,
		Type:        o.Type,
		Image:       o.Image,
		Data:        o.Data,
		Subnet:      o.Subnet,
		Address:     addr,
		Spot:        o.Spot,
		Tags:        o.Tags,
		Launched:    s.Now,
		ReadyAt:     s.Now.Add(s.PendingDelay),
		Reservation: o.Reservation,
		Token:       o.Token,
		Profile:     profile,
		Reserved:    reserved,
		Group:       group,
		Partition:   partition,
	}
	if o.Spot {
		in.SpotRequest = fmt.Sprintf("sir-%08x", uint32(s.dice.Uint64()))
	}
	s.Instances = append(s.Instances, in)
	s.instanceByID[in.ID] = in
	s.boot(in)
	return in, nil
}

// checkLaunch refuses what EC2 would, apart from capacity.
func (s *State) checkLaunch(o order) error {
	zone := o.Subnet.Zone
	switch {
	case o.Image.Arch != o.Type.Arch:
		return apierror.Invalid(
			"The architecture '%s' of the specified instance type does not match the architecture '%s' of the specified AMI. "+
				"Specify an instance type and an AMI that have matching architectures, and try again.",
			o.Type.Arch,
			o.Image.Arch,
		)
	case !s.Offered(o.Type, zone):
		return apierror.New(
			"Unsupported",
			"Your requested instance type (%s) is not supported in your requested Availability Zone (%s). "+
				"Please retry your request by not specifying an Availability Zone or choosing another.",
			o.Type.Name,
			zone.Name,
		)
	}
	if name := o.Data.KeyName; name != "" && s.KeyPairs[name] == nil {
		return apierror.New("InvalidKeyPair.NotFound", "The key pair '%s' does not exist", name)
	}
	for _, id := range o.Data.Groups() {
		if _, err := s.Group(id); err != nil {
			return err
		}
	}
	if err := checkModelled(o); err != nil {
		return err
	}
	return checkUserData(o.Data.UserData)
}

// checkModelled refuses launches that are not simulated, and markets that do
// not exist.
func checkModelled(o order) error {
	switch market := o.Data.Market(); market {
	case "", OnDemand, Spot, BlockMarket, InterruptibleMarket:
	default:
		return apierror.Invalid("Invalid value '%s' for MarketType.", market)
	}
	return checkTenancy(o)
}

// maxUserData is EC2's limit on user data in bytes before base64.
const maxUserData = 16384

func checkUserData(encoded string) error {
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return apierror.New("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data.")
	}
	if len(raw) > maxUserData {
		return apierror.New("InvalidUserData.Malformed", "User data is limited to %d bytes", maxUserData)
	}
	return nil
}

// Terminate begins to end an instance. One that is ending already is left as
// it is, as EC2 does.
func (s *State) Terminate(in *Instance, reason string) {
	if !in.StoppedAt.IsZero() {
		return
	}
	price, _ := s.Price(in.Pool())
	s.bill(in, price)
	in.StoppedAt, in.GoneAt = s.Now, s.Now.Add(s.StopDelay)
	in.StateReason = reason
	s.effect(in, EffectState)
	s.after(s.StopDelay, func() { s.vanish(in) })
}

// Reasons for termination, as EC2 words them.
const (
	ReasonUser = "Client.UserInitiatedShutdown: User initiated shutdown"
	ReasonSpot = "Server.SpotInstanceTermination: Spot instance termination"
)

// vanish gives back what the instance held.
func (s *State) vanish(in *Instance) {
	s.effect(in, EffectState)
	in.Subnet.giveBack(in.Address, in.Data.Addresses()-1)
	in.Address = netip.Addr{}
	if !in.released {
		s.relinquish(in)
	}
	s.after(s.NodeGoneDelay, func() { s.effect(in, EffectGone) })
	s.after(s.Retention, func() { s.forget(in) })
}

// forget drops terminated instances that are described no longer.
func (s *State) forget(in *Instance) {
	delete(s.instanceByID, in.ID)
	delete(s.stale, &in.Tags)
	if i := slices.Index(s.Instances, in); i >= 0 {
		s.Instances = slices.Delete(s.Instances, i, i+1)
	}
}

// Instance finds an instance by id.
func (s *State) Instance(id string) (*Instance, error) {
	if in := s.instanceByID[id]; in != nil {
		return in, nil
	}
	if rest, ok := strings.CutPrefix(id, "i-"); !ok || !isHex(rest) {
		return nil, apierror.New("InvalidInstanceID.Malformed", "Invalid id: \"%s\"", id)
	}
	return nil, NoInstance(id)
}

// NoInstance refuses an id that names no instance.
func NoInstance(id string) error {
	return apierror.New("InvalidInstanceID.NotFound", "The instance ID '%s' does not exist", id)
}

// isHex says whether text is what follows the prefix of an id: 8 hexadecimal
// digits, or 17 since 2016.
func isHex(text string) bool {
	return strings.Trim(text, "0123456789abcdef") == "" && (len(text) == 8 || len(text) == 17)
}
