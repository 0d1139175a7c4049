package ec2api

import (
	"context"
	"fmt"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/launchspec"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
	"github.com/dovetail-sh/dovetail/catalog"
)

type spotRequestsIn struct {
	asked
	IDs []string `query:"SpotInstanceRequestId"`
}

type spotRequestXML struct {
	ID       string           `xml:"spotInstanceRequestId"`
	Price    string           `xml:"spotPrice"`
	Kind     string           `xml:"type"`
	State    string           `xml:"state"`
	Status   spotStatus       `xml:"status"`
	Spec     spotSpec         `xml:"launchSpecification"`
	Instance string           `xml:"instanceId"`
	Created  string           `xml:"createTime"`
	Product  string           `xml:"productDescription"`
	Tags     []launchspec.Tag `xml:"tagSet>item,omitempty"`
	Zone     string           `xml:"launchedAvailabilityZone"`
	Behavior string           `xml:"instanceInterruptionBehavior"`
}

type spotStatus struct {
	Code    string `xml:"code"`
	Message string `xml:"message"`
	Since   string `xml:"updateTime"`
}

type spotSpec struct {
	Image string `xml:"imageId"`
	Type  string `xml:"instanceType"`
}

type spotRequestsOut struct {
	Requests  []spotRequestXML `xml:"spotInstanceRequestSet>item"`
	NextToken string           `xml:"nextToken,omitempty"`
}

// describeSpotInstanceRequests lists the requests behind the spot instances of
// fleets and launches: each is for one instance, once.
func (a sales) describeSpotInstanceRequests(
	_ context.Context,
	_ *wire.Call,
	in *spotRequestsIn,
) (*spotRequestsOut, error) {
	if err := checkFilters(
		in.Filters,
		true,
		"availability-zone",
		"create-time",
		"instance-id",
		"launch.image-id",
		"launch.instance-type",
		"launched-availability-zone",
		"spot-instance-request-id",
		"state",
		"status-code",
		"type",
	); err != nil {
		return nil, err
	}
	out := &spotRequestsOut{}
	return out, a.world.Do(func(s *world.State) error {
		all := map[string]spotRequestXML{}
		for _, one := range s.Instances {
			if one.SpotRequest != "" && s.Seen(one) {
				all[one.SpotRequest] = spotRequestOf(s, one)
			}
		}
		kept, err := chosen(
			in.asked,
			in.IDs,
			all,
			"InvalidSpotInstanceRequestID.NotFound",
			"The spot instance request ID '%s' does not exist",
			func(x spotRequestXML) bool { return match(in.Filters, x.fields(), x.Tags) },
		)
		if err != nil {
			return err
		}
		out.Requests, out.NextToken, err = page(
			in.asked,
			bounds{5, 1000},
			kept,
			func(x spotRequestXML) string { return x.ID },
		)
		return err
	})
}

func spotRequestOf(s *world.State, in *world.Instance) spotRequestXML {
	full, _ := catalog.OnDemand(s.MarketOf(in.Subnet.Zone.Name), in.Type.Name)
	x := spotRequestXML{
		ID:     in.SpotRequest,
		Price:  fmt.Sprintf("%d.%06d", full/1_000_000, full%1_000_000),
		Kind:   "one-time",
		State:  "active",
		Status: spotStatus{"fulfilled", "Your Spot request is fulfilled.", stamp(in.Launched)},
		Spec: spotSpec{
			in.Image.ID,
			in.Type.Name,
		},
		Instance: in.ID,
		Created:  stamp(in.Launched),
		Product:  "Linux/UNIX",
		Tags: launchspec.TagsFor(
			in.Data.TagSpecifications,
			"spot-instances-request",
		),
		Zone:     in.Subnet.Zone.Name,
		Behavior: "terminate",
	}
	if in.Image.Windows {
		x.Product = "Windows"
	}
	switch in.StateReason {
	case "":
	case world.ReasonSpot:
		x.State, x.Status = "closed", spotStatus{
			"instance-terminated-no-capacity",
			"Your Spot instance was terminated because there is no Spot capacity available.",
			stamp(in.StoppedAt),
		}
	default:
		x.State, x.Status = "closed", spotStatus{
			"instance-terminated-by-user",
			"Spot Instance terminated due to user-initiated termination.",
			stamp(in.StoppedAt),
		}
	}
	return x
}

func (x spotRequestXML) fields() fields {
	return fields{
		"availability-zone": one(
			x.Zone,
		),
		"launched-availability-zone": one(x.Zone),
		"create-time":                one(x.Created),
		"instance-id":                one(x.Instance),
		"launch.image-id": one(
			x.Spec.Image,
		),
		"launch.instance-type":     one(x.Spec.Type),
		"spot-instance-request-id": one(x.ID),
		"state":                    one(x.State),
		"status-code":              one(x.Status.Code),
		"type":                     one(x.Kind),
	}
}

type scoresIn struct {
	asked
	Types      []string `query:"InstanceType"`
	Target     int      `query:"TargetCapacity"`
	Unit       string   `query:"TargetCapacityUnitType"`
	SingleZone bool     `query:"SingleAvailabilityZone"`
	Regions    []string `query:"RegionName"`
}

type scoreXML struct {
	Region string `xml:"region"`
	ZoneID string `xml:"availabilityZoneId,omitempty"`
	Score  int    `xml:"score"`
}

type scoresOut struct {
	Scores    []scoreXML `xml:"spotPlacementScoreSet>item"`
	NextToken string     `xml:"nextToken,omitempty"`
}

// leastTypes is how many types EC2 wants before it gives more than the lowest
// score.
const leastTypes = 3

// getSpotPlacementScores scores the account's own region, or its zones, by the
// best of the named types' pools; there is no other region to score.
func (a sales) getSpotPlacementScores(_ context.Context, _ *wire.Call, in *scoresIn) (*scoresOut, error) {
	switch {
	case in.Target < 1:
		return nil, apierror.Missing("TargetCapacity")
	case len(in.Types) == 0:
		return nil, apierror.Missing("InstanceTypes")
	}
	out := &scoresOut{}
	return out, a.world.Do(func(s *world.State) error {
		for _, name := range in.Types {
			if _, known := catalog.Lookup(name); !known {
				return apierror.Invalid("Invalid value '%s' for InstanceType.", name)
			}
		}
		for _, name := range in.Regions {
			if name != s.Region.Name {
				return apierror.Invalid(
					"The region %s is not simulated: this account answers in %s alone.",
					name,
					s.Region.Name,
				)
			}
		}
		if in.DryRun {
			return apierror.DryRun()
		}
		best := 1
		for _, zone := range s.Zones {
			score := s.PlacementScore(in.Types, zone, in.Target)
			if len(in.Types) < leastTypes {
				score = 1
			}
			best = max(best, score)
			if in.SingleZone && score > 0 {
				out.Scores = append(out.Scores, scoreXML{s.Region.Name, zone.ID, score})
			}
		}
		if !in.SingleZone {
			out.Scores = []scoreXML{{Region: s.Region.Name, Score: best}}
		}
		return nil
	})
}
