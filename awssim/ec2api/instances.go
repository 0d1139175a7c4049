package ec2api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/fault"
	"github.com/dovetail-sh/dovetail/awssim/launchspec"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

// reservation is a launch call's instances in EC2's XML.
type reservation struct {
	ID        string     `xml:"reservationId"`
	Owner     string     `xml:"ownerId"`
	Instances []instance `xml:"instancesSet>item"`
}

type instance struct {
	ID              string                        `xml:"instanceId"`
	Image           string                        `xml:"imageId"`
	State           stateXML                      `xml:"instanceState"`
	PrivateDNS      string                        `xml:"privateDnsName"`
	PublicDNS       string                        `xml:"dnsName"`
	Reason          string                        `xml:"reason"`
	LaunchIndex     int                           `xml:"amiLaunchIndex"`
	Type            string                        `xml:"instanceType"`
	LaunchTime      string                        `xml:"launchTime"`
	Placement       placement                     `xml:"placement"`
	Platform        string                        `xml:"platform,omitempty"`
	PlatformDetails string                        `xml:"platformDetails"`
	Monitoring      monitoring                    `xml:"monitoring"`
	Subnet          string                        `xml:"subnetId,omitempty"`
	VPC             string                        `xml:"vpcId,omitempty"`
	Address         string                        `xml:"privateIpAddress,omitempty"`
	SourceDestCheck bool                          `xml:"sourceDestCheck"`
	Groups          []group                       `xml:"groupSet>item,omitempty"`
	StateReason     *stateReason                  `xml:"stateReason"`
	Arch            string                        `xml:"architecture"`
	RootType        string                        `xml:"rootDeviceType"`
	RootName        string                        `xml:"rootDeviceName"`
	Devices         []device                      `xml:"blockDeviceMapping>item,omitempty"`
	Virtualization  string                        `xml:"virtualizationType"`
	Lifecycle       string                        `xml:"instanceLifecycle,omitempty"`
	SpotRequest     string                        `xml:"spotInstanceRequestId,omitempty"`
	Token           string                        `xml:"clientToken"`
	Tags            []launchspec.Tag              `xml:"tagSet>item,omitempty"`
	Hypervisor      string                        `xml:"hypervisor"`
	Interfaces      []networkInterface            `xml:"networkInterfaceSet>item,omitempty"`
	Profile         *profileXML                   `xml:"iamInstanceProfile"`
	EbsOptimized    bool                          `xml:"ebsOptimized"`
	EnaSupport      bool                          `xml:"enaSupport"`
	CPU             cpuOptions                    `xml:"cpuOptions"`
	Metadata        metadataXML                   `xml:"metadataOptions"`
	Enclave         enclaveXML                    `xml:"enclaveOptions"`
	UsageOperation  string                        `xml:"usageOperation"`
	Reserved        string                        `xml:"capacityReservationId,omitempty"`
	ReservedSpec    *launchspec.ReservationChoice `xml:"capacityReservationSpecification"`
}

type stateXML struct {
	Code int    `xml:"code"`
	Name string `xml:"name"`
}

func stateOf(st world.InstanceState) stateXML { return stateXML{int(st), st.String()} }

type placement struct {
	Zone      string `xml:"availabilityZone"`
	ZoneID    string `xml:"availabilityZoneId"`
	Group     string `xml:"groupName"`
	GroupID   string `xml:"groupId,omitempty"`
	Partition int    `xml:"partitionNumber,omitempty"`
	Tenancy   string `xml:"tenancy"`
}

type monitoring struct {
	State string `xml:"state"`
}

type group struct {
	ID   string `xml:"groupId"`
	Name string `xml:"groupName"`
}

type stateReason struct {
	Code    string `xml:"code"`
	Message string `xml:"message"`
}

type device struct {
	Name   string `xml:"deviceName"`
	Volume volume `xml:"ebs"`
}

type volume struct {
	ID                  string `xml:"volumeId"`
	Status              string `xml:"status"`
	AttachTime          string `xml:"attachTime"`
	DeleteOnTermination bool   `xml:"deleteOnTermination"`
}

type networkInterface struct {
	ID         string     `xml:"networkInterfaceId"`
	Subnet     string     `xml:"subnetId"`
	VPC        string     `xml:"vpcId"`
	Owner      string     `xml:"ownerId"`
	Status     string     `xml:"status"`
	Address    string     `xml:"privateIpAddress"`
	DNS        string     `xml:"privateDnsName"`
	Kind       string     `xml:"interfaceType"`
	Groups     []group    `xml:"groupSet>item,omitempty"`
	Attachment attachment `xml:"attachment"`
}

type attachment struct {
	ID          string `xml:"attachmentId"`
	Instance    string `xml:"instanceId,omitempty"`      // only where the interface is told by itself
	Owner       string `xml:"instanceOwnerId,omitempty"` // the same
	DeviceIndex int    `xml:"deviceIndex"`
	CardIndex   int    `xml:"networkCardIndex"`
	Status      string `xml:"status"`
}

// enclaveXML says always whether enclaves are enabled.
type enclaveXML struct {
	Enabled bool `xml:"enabled"`
}

type profileXML struct {
	Arn string `xml:"arn"`
	ID  string `xml:"id"`
}

type cpuOptions struct {
	Cores   int `xml:"coreCount"`
	Threads int `xml:"threadsPerCore"`
}

func instanceXML(s *world.State, in *world.Instance) instance {
	state := s.SeenState(in)
	out := instance{
		ID: in.ID, Image: in.Image.ID, State: stateOf(state), Type: in.Type.Name, LaunchTime: stamp(in.Launched),
		Placement:       placement{Zone: in.Subnet.Zone.Name, ZoneID: in.Subnet.Zone.ID, Tenancy: in.Tenancy()},
		PlatformDetails: "Linux/UNIX", UsageOperation: "RunInstances", Monitoring: monitoring{"disabled"},
		Arch: in.Type.Arch, RootType: "ebs", RootName: in.Image.RootDevice, Virtualization: "hvm",
		SpotRequest: in.SpotRequest, Token: in.Token, Tags: s.SeenTags(&in.Tags), Hypervisor: "xen",
		EbsOptimized: true, EnaSupport: true, CPU: coresOf(in.Type),
	}
	if how := in.Lifecycle(); how != world.OnDemand {
		out.Lifecycle = how
	}
	if in.Reserved != nil {
		out.Reserved = in.Reserved.ID
	}
	out.ReservedSpec = in.Data.CapacityReservationSpecification
	if in.Image.Windows {
		out.Platform, out.PlatformDetails, out.UsageOperation = "windows", "Windows", "RunInstances:0002"
	}
	if g := in.Group; g != nil {
		out.Placement.Group, out.Placement.GroupID, out.Placement.Partition = g.Name, g.ID, in.Partition
	}
	if m := in.Data.Monitoring; m != nil && m.Enabled != nil && *m.Enabled {
		out.Monitoring.State = "enabled"
	}
	out.Metadata = metadataOf(in)
	if e := in.Data.EnclaveOptions; e != nil && e.Enabled != nil {
		out.Enclave.Enabled = *e.Enabled
	}
	if code, message, found := strings.Cut(in.StateReason, ": "); found {
		out.Reason = message
		out.StateReason = &stateReason{code, in.StateReason}
	}
	if p := s.Profiles[in.Profile]; p != nil {
		out.Profile = &profileXML{s.ProfileARN(p), p.ID}
	}
	if in.Address.IsValid() {
		attach(s, in, &out)
	}
	return out
}

// attach adds what an instance has only while it lives: network and disks.
func attach(s *world.State, in *world.Instance, out *instance) {
	out.Subnet, out.VPC, out.SourceDestCheck = in.Subnet.ID, s.VPC.ID, true
	out.Address, out.PrivateDNS = in.Address.String(), s.PrivateDNSName(in.Address)
	ids := in.Data.Groups()
	if len(ids) == 0 {
		ids = []string{s.Groups[0].ID} // the VPC's default group
	}
	for _, id := range ids {
		if g, err := s.Group(id); err == nil {
			out.Groups = append(out.Groups, group{g.ID, g.Name})
		}
	}
	suffix := strings.TrimPrefix(in.ID, "i-")
	out.Interfaces = []networkInterface{{
		ID: "eni-" + suffix, Subnet: in.Subnet.ID, VPC: s.VPC.ID, Owner: s.Account, Status: "in-use",
		Address: out.Address, DNS: out.PrivateDNS, Kind: "interface", Groups: out.Groups,
		Attachment: attachment{ID: "eni-attach-" + suffix, Status: "attached"},
	}}
	for _, v := range volumesOf(in) {
		at := v.Attachments[0]
		out.Devices = append(out.Devices, device{at.Device, volume{v.ID, at.Status, at.Since, at.Delete}})
	}
}

// instanceFilters are the filters of DescribeInstances that are simulated.
var instanceFilters = []string{
	"architecture",
	"availability-zone",
	"availability-zone-id",
	"client-token",
	"dns-name",
	"image-id",
	"instance-id",
	"instance-lifecycle",
	"instance-state-code",
	"instance-state-name",
	"instance-type",
	"launch-time",
	"owner-id",
	"private-dns-name",
	"private-ip-address",
	"reservation-id",
	"spot-instance-request-id",
	"subnet-id",
	"capacity-reservation-id",
	"placement-group-name",
	"placement-partition-number",
	"vpc-id",
	"instance.group-id",
	"iam-instance-profile.arn",
}

func instanceFields(s *world.State, in *world.Instance) fields {
	state := s.SeenState(in)
	known := fields{
		"architecture": one(
			in.Type.Arch,
		),
		"availability-zone":    one(in.Subnet.Zone.Name),
		"availability-zone-id": one(in.Subnet.Zone.ID),
		"client-token":         one(in.Token),
		"dns-name":             one(""),
		"image-id":             one(in.Image.ID),
		"instance-id":          one(in.ID),
		"instance-state-code": number(
			int(state),
		),
		"instance-state-name":      one(state.String()),
		"instance-type":            one(in.Type.Name),
		"launch-time":              one(stamp(in.Launched)),
		"owner-id":                 one(s.Account),
		"reservation-id":           one(in.Reservation),
		"spot-instance-request-id": one(in.SpotRequest),
		"instance.group-id":        many(in.Data.Groups()),
	}
	if how := in.Lifecycle(); how != world.OnDemand {
		known["instance-lifecycle"] = one(how)
	}
	if in.Reserved != nil {
		known["capacity-reservation-id"] = one(in.Reserved.ID)
	}
	if in.Group != nil {
		known["placement-group-name"], known["placement-partition-number"] = one(in.Group.Name), number(in.Partition)
	}
	if p := s.Profiles[in.Profile]; p != nil {
		known["iam-instance-profile.arn"] = one(s.ProfileARN(p))
	}
	if in.Address.IsValid() {
		known["private-dns-name"], known["private-ip-address"] = one(
			s.PrivateDNSName(in.Address),
		), one(
			in.Address.String(),
		)
		known["subnet-id"], known["vpc-id"] = one(in.Subnet.ID), one(s.VPC.ID)
	}
	return known
}

type describeInstancesIn struct {
	asked
	IDs                     []string `query:"InstanceId"`
	IncludeManagedResources bool
}

// Halve spares calls that name instances: they have no pages.
func (in *describeInstancesIn) Halve() { in.half = len(in.IDs) == 0 }

type describeInstancesOut struct {
	Reservations []reservation `xml:"reservationSet>item"`
	NextToken    string        `xml:"nextToken,omitempty"`
}

func (a *api) describeInstances(
	_ context.Context,
	_ *wire.Call,
	in *describeInstancesIn,
) (*describeInstancesOut, error) {
	if err := checkFilters(in.Filters, true, instanceFilters...); err != nil {
		return nil, err
	}
	out := &describeInstancesOut{}
	err := a.world.Do(func(s *world.State) error {
		kept, err := selectInstances(s, in.asked, in.IDs, nil)
		if err != nil {
			return err
		}
		if kept, out.NextToken, err = page(in.asked, bounds{5, 1000}, kept, instanceKey); err != nil {
			return err
		}
		for _, one := range kept {
			last := len(out.Reservations) - 1
			if last < 0 || out.Reservations[last].ID != one.Reservation {
				out.Reservations = append(out.Reservations, reservation{ID: one.Reservation, Owner: s.Account})
				last++
			}
			out.Reservations[last].Instances = append(out.Reservations[last].Instances, instanceXML(s, one))
		}
		return nil
	})
	return out, err
}

func instanceKey(in *world.Instance) string { return fmt.Sprintf("%016x", in.Order) }

// selectInstances returns the named instances, or all, that pass the filters.
func selectInstances(
	s *world.State,
	q asked,
	ids []string,
	extra func(*world.Instance) fields,
) ([]*world.Instance, error) {
	if len(ids) > 0 && q.MaxResults != nil {
		return nil, apierror.New(
			"InvalidParameterCombination",
			"The parameter instancesSet cannot be used with the parameter maxResults",
		)
	}
	from := s.Instances
	if len(ids) > 0 {
		var err error
		if from, err = namedInstances(s, ids, s.Seen); err != nil {
			return nil, err
		}
	}
	if q.DryRun {
		return nil, apierror.DryRun()
	}
	var kept []*world.Instance
	for _, in := range from {
		known := fields(nil)
		if len(q.Filters) > 0 {
			if extra != nil {
				known = extra(in)
			} else {
				known = instanceFields(s, in)
			}
		}
		if s.Seen(in) && match(q.Filters, known, s.SeenTags(&in.Tags)) {
			kept = append(kept, in)
		}
	}
	return kept, nil
}

// namedInstances finds instances by id, among those that are seen.
func namedInstances(s *world.State, ids []string, seen func(*world.Instance) bool) ([]*world.Instance, error) {
	var out []*world.Instance
	for _, id := range ids {
		in, err := s.Instance(id)
		if err != nil {
			return nil, err
		}
		if !seen(in) {
			return nil, world.NoInstance(id)
		}
		out = append(out, in)
	}
	return out, nil
}

type terminateIn struct {
	DryRun         bool
	Force          bool
	SkipOsShutdown bool
	IDs            []string `query:"InstanceId"`
}

type stateChange struct {
	ID       string   `xml:"instanceId"`
	Current  stateXML `xml:"currentState"`
	Previous stateXML `xml:"previousState"`
}

type terminateOut struct {
	Changes []stateChange `xml:"instancesSet>item"`
}

func (a *api) terminateInstances(_ context.Context, c *wire.Call, in *terminateIn) (*terminateOut, error) {
	if len(in.IDs) == 0 {
		return nil, apierror.Missing("InstanceId")
	}
	out := &terminateOut{}
	err := a.world.Do(func(s *world.State) error {
		doomed, err := namedInstances(s, in.IDs, func(*world.Instance) bool { return true })
		if err != nil || in.DryRun {
			return cmp.Or(err, error(apierror.DryRun()))
		}
		for _, one := range doomed {
			if keep := one.Data.DisableAPITermination; keep != nil && *keep {
				return apierror.New("OperationNotPermitted", "The instance '%s' may not be terminated. "+
					"Modify its 'disableApiTermination' instance attribute and try again.", one.ID)
			}
		}
		doomed, failure := reach(c, doomed)
		for _, one := range doomed {
			before := one.State(s.Now)
			s.Terminate(one, world.ReasonUser)
			out.Changes = append(out.Changes, stateChange{one.ID, stateOf(one.State(s.Now)), stateOf(before)})
		}
		return failure
	})
	return out, err
}

// reach returns what of a change of many is made: all, or, in a call that is to
// succeed in part, the first half, with the error that is answered then.
func reach[T any](c *wire.Call, all []T) ([]T, error) {
	if c.Fault != fault.Partial {
		return all, nil
	}
	return all[:(len(all)+1)/2], apierror.WithStatus(
		http.StatusInternalServerError,
		"InternalError",
		"An internal error has occurred",
	)
}
