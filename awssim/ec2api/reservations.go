package ec2api

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/launchspec"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
	"github.com/dovetail-sh/dovetail/catalog"
)

// capacityReservation is a world.CapacityReservation in EC2's XML.
type capacityReservation struct {
	ID            string            `xml:"capacityReservationId"`
	Arn           string            `xml:"capacityReservationArn"`
	Owner         string            `xml:"ownerId"`
	Type          string            `xml:"instanceType"`
	Platform      string            `xml:"instancePlatform"`
	Zone          string            `xml:"availabilityZone"`
	ZoneID        string            `xml:"availabilityZoneId"`
	Tenancy       string            `xml:"tenancy"`
	Total         int               `xml:"totalInstanceCount"`
	Available     int               `xml:"availableInstanceCount"`
	EbsOptimized  bool              `xml:"ebsOptimized"`
	State         string            `xml:"state"`
	Start         string            `xml:"startDate"`
	End           string            `xml:"endDate,omitempty"`
	EndKind       string            `xml:"endDateType"`
	Criteria      string            `xml:"instanceMatchCriteria"`
	Created       string            `xml:"createDate"`
	Kind          string            `xml:"reservationType"`
	Interruptible bool              `xml:"interruptible"`
	Interruption  *interruptionInfo `xml:"interruptionInfo"`
	Tags          []launchspec.Tag  `xml:"tagSet>item,omitempty"`
}

type interruptionInfo struct {
	Source string `xml:"sourceCapacityReservationId"`
	Kind   string `xml:"interruptionType"`
}

func platformOf(windows bool) string {
	if windows {
		return "Windows"
	}
	return "Linux/UNIX"
}

func reservationXML(s *world.State, r *world.CapacityReservation) capacityReservation {
	out := capacityReservation{
		ID:            r.ID,
		Arn:           s.ARN("ec2", "capacity-reservation/"+r.ID),
		Owner:         s.Account,
		Type:          r.Type.Name,
		Platform:      platformOf(r.Windows),
		Zone:          r.Zone.Name,
		ZoneID:        r.Zone.ID,
		Tenancy:       r.Tenancy(),
		Total:         r.Total,
		Available:     r.Available(),
		State:         r.State(s.Now),
		Start:         stamp(r.Start),
		EndKind:       "unlimited",
		Criteria:      "open",
		Created:       stamp(r.Created),
		Kind:          r.Kind(),
		Interruptible: r.Interruptible,
		Tags:          s.SeenTags(&r.Tags),
	}
	if r.Targeted {
		out.Criteria = "targeted"
	}
	if !r.End.IsZero() {
		out.End, out.EndKind = stamp(r.End), "limited"
	}
	if r.Interruptible {
		out.Interruption = &interruptionInfo{r.Source, "adhoc"}
	}
	return out
}

type reservationsIn struct {
	asked
	IDs []string `query:"CapacityReservationId"`
}

type reservationsOut struct {
	Reservations []capacityReservation `xml:"capacityReservationSet>item"`
	NextToken    string                `xml:"nextToken,omitempty"`
}

func (a *api) describeCapacityReservations(
	_ context.Context,
	_ *wire.Call,
	in *reservationsIn,
) (*reservationsOut, error) {
	if err := checkFilters(
		in.Filters,
		true,
		"availability-zone",
		"end-date-type",
		"instance-match-criteria",
		"instance-type",
		"instance-platform",
		"interruptible",
		"owner-id",
		"reservation-type",
		"start-date",
		"end-date",
		"state",
		"tenancy",
	); err != nil {
		return nil, err
	}
	out := &reservationsOut{}
	err := a.world.Do(func(s *world.State) error {
		for _, id := range in.IDs {
			if _, err := s.Reservation(id); err != nil {
				return err
			}
		}
		if in.DryRun {
			return apierror.DryRun()
		}
		var kept []capacityReservation
		for _, r := range s.Reservations {
			x := reservationXML(s, r)
			if (len(in.IDs) == 0 || slices.Contains(in.IDs, x.ID)) && match(in.Filters, x.fields(), x.Tags) {
				kept = append(kept, x)
			}
		}
		slices.SortFunc(kept, func(a, b capacityReservation) int { return cmp.Compare(a.ID, b.ID) })
		var err error
		out.Reservations, out.NextToken, err = page(
			in.asked,
			bounds{1, 1000},
			kept,
			func(x capacityReservation) string { return x.ID },
		)
		return err
	})
	return out, err
}

func (x capacityReservation) fields() fields {
	return fields{
		"availability-zone":       one(x.Zone),
		"end-date-type":           one(x.EndKind),
		"instance-match-criteria": one(x.Criteria),
		"instance-type": one(
			x.Type,
		),
		"instance-platform": one(x.Platform),
		"interruptible":     yesNo(x.Interruptible),
		"owner-id":          one(x.Owner),
		"reservation-type": one(
			x.Kind,
		),
		"start-date": one(x.Start),
		"end-date":   one(x.End),
		"state":      one(x.State),
		"tenancy":    one(x.Tenancy),
	}
}

type createReservationIn struct {
	DryRun       bool
	ClientToken  string
	Type         string `query:"InstanceType"`
	Platform     string `query:"InstancePlatform"`
	Zone         string `query:"AvailabilityZone"`
	ZoneID       string `query:"AvailabilityZoneId"`
	Tenancy      string
	Count        int `query:"InstanceCount"`
	EbsOptimized bool
	End          time.Time                     `query:"EndDate"`
	EndKind      string                        `query:"EndDateType"`
	Criteria     string                        `query:"InstanceMatchCriteria"`
	Tags         []launchspec.TagSpecification `query:"TagSpecifications"`
}

type reservationOut struct {
	Reservation capacityReservation `xml:"capacityReservation"`
}

func (a *api) createCapacityReservation(
	_ context.Context,
	c *wire.Call,
	in *createReservationIn,
) (*reservationOut, error) {
	switch {
	case in.Criteria != "" && in.Criteria != "open" && in.Criteria != "targeted":
		return nil, apierror.Invalid("Invalid value '%s' for InstanceMatchCriteria.", in.Criteria)
	case (in.EndKind == "limited") == in.End.IsZero():
		return nil, apierror.New(
			"InvalidParameterCombination",
			"EndDate goes with the EndDateType limited, and only with it.",
		)
	case in.Tenancy != "" && in.Tenancy != world.SharedTenancy && in.Tenancy != world.DedicatedTenancy:
		return nil, apierror.Invalid("Invalid value '%s' for Tenancy.", in.Tenancy)
	case in.Platform != "Linux/UNIX" && in.Platform != "Windows":
		return nil, apierror.Invalid("The platform '%s' is not simulated: use Linux/UNIX or Windows.", in.Platform)
	}
	var out *reservationOut
	err := a.world.Do(func(s *world.State) error {
		r, err := newReservation(s, in.Type, in.Zone, in.ZoneID)
		if err != nil {
			return err
		}
		if in.DryRun {
			return apierror.DryRun()
		}
		r.Windows, r.Targeted, r.Total, r.End = in.Platform == "Windows", in.Criteria == "targeted", in.Count, in.End
		r.Dedicated, r.Tags = in.Tenancy == world.DedicatedTenancy, launchspec.TagsFor(
			in.Tags,
			"capacity-reservation",
		)
		out, err = world.Once(s, c.Action, in.ClientToken, c.Fingerprint(), func() (*reservationOut, error) {
			if err := s.Reserve(r); err != nil {
				return nil, err
			}
			return &reservationOut{reservationXML(s, r)}, nil
		})
		return err
	})
	return out, err
}

// newReservation resolves a type and a zone, which may be named either way.
func newReservation(s *world.State, name, zoneName, zoneID string) (*world.CapacityReservation, error) {
	t, known := catalog.Lookup(name)
	if !known {
		return nil, apierror.Invalid("Invalid value '%s' for InstanceType.", name)
	}
	for _, zone := range s.Zones {
		if zone.Name == zoneName || zone.ID == zoneID {
			return &world.CapacityReservation{Type: t, Zone: zone}, nil
		}
	}
	return nil, apierror.Invalid("Invalid availability zone: [%s]", cmp.Or(zoneName, zoneID))
}

type cancelReservationIn struct {
	DryRun bool
	ID     string `query:"CapacityReservationId"`
}

func (a *api) cancelCapacityReservation(_ context.Context, _ *wire.Call, in *cancelReservationIn) (*done, error) {
	return &done{true}, a.world.Do(func(s *world.State) error {
		r, err := s.Reservation(in.ID)
		if err != nil || in.DryRun {
			return cmp.Or(err, error(apierror.DryRun()))
		}
		return s.CancelReservation(r)
	})
}

type splitReservationIn struct {
	DryRun      bool
	ClientToken string
	ID          string                        `query:"CapacityReservationId"`
	Count       int                           `query:"InstanceCount"`
	Tags        []launchspec.TagSpecification `query:"TagSpecification"`
}

type splitReservationOut struct {
	Source string `xml:"sourceCapacityReservationId"`
	Target int    `xml:"targetInstanceCount"`
	Status string `xml:"status"`
	Kind   string `xml:"interruptionType"`
}

// createInterruptible splits an interruptible reservation off a targeted one.
func (a *api) createInterruptible(
	_ context.Context,
	c *wire.Call,
	in *splitReservationIn,
) (*splitReservationOut, error) {
	var out *splitReservationOut
	err := a.world.Do(func(s *world.State) error {
		source, err := s.Reservation(in.ID)
		switch {
		case err != nil:
			return err
		case !source.Targeted || source.Interruptible || source.Block:
			return apierror.New(
				"InvalidParameterCombination",
				"The source must be a targeted capacity reservation of the default kind.",
			)
		case in.Count < 1 || in.Count > source.Available():
			return apierror.Invalid(
				"InstanceCount must be from 1 to the %d that are available, got %d.",
				source.Available(),
				in.Count,
			)
		case in.DryRun:
			return apierror.DryRun()
		}
		out, err = world.Once(s, c.Action, in.ClientToken, c.Fingerprint(), func() (*splitReservationOut, error) {
			part := &world.CapacityReservation{
				Type:          source.Type,
				Zone:          source.Zone,
				Windows:       source.Windows,
				Targeted:      true,
				Interruptible: true,
				Source:        source.ID,
				Dedicated:     source.Dedicated,
				Total:         in.Count,
				End:           source.End,
				Tags:          launchspec.TagsFor(in.Tags, "capacity-reservation"),
			}
			if err := s.Reserve(part); err != nil {
				return nil, err
			}
			source.Total -= in.Count
			return &splitReservationOut{source.ID, in.Count, "active", "adhoc"}, nil
		})
		return err
	})
	return out, err
}
