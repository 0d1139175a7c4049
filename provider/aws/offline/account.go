package offline

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/provider/aws/offering"
	"github.com/dovetail-sh/dovetail/provider/aws/reservation"
)

// Account is what is known of an AWS account beside the catalogue. The zero Account has no capacity reservations.
type Account struct {
	Reservations *Reservations
	Now          time.Time // when capacity blocks are asked whether they end soon

	// PrefixDelegation says that the cluster's VPC CNI gives network interfaces prefixes, so that more pods fit.
	PrefixDelegation bool
}

// Reservations are an account's capacity reservations as EC2 describes them.
type Reservations struct {
	list []ec2types.CapacityReservation
}

// ReadReservations reads what `aws ec2 describe-capacity-reservations` prints. The error says what the text lacks.
func ReadReservations(text []byte) (*Reservations, error) {
	var in struct {
		CapacityReservations *[]ec2types.CapacityReservation
	}
	switch err := json.Unmarshal(text, &in); {
	case err != nil:
		return nil, fmt.Errorf(
			"this is not what `aws ec2 describe-capacity-reservations --output json` prints: %w",
			err,
		)
	case in.CapacityReservations == nil:
		return nil, errors.New(
			"there is no CapacityReservations list; want what `aws ec2 describe-capacity-reservations --output json` " +
				"prints",
		)
	}
	for i, r := range *in.CapacityReservations {
		for field, value := range map[string]*string{
			"CapacityReservationId": r.CapacityReservationId, "InstanceType": r.InstanceType,
			"AvailabilityZone": r.AvailabilityZone,
		} {
			if awssdk.ToString(value) == "" {
				return nil, fmt.Errorf("capacity reservation %d of the list has no %s", i+1, field)
			}
		}
	}
	return &Reservations{*in.CapacityReservations}, nil
}

// DescribeCapacityReservations answers as EC2 does, to the filters that are asked for of an EC2NodeClass.
func (r *Reservations) DescribeCapacityReservations(
	_ context.Context,
	in *ec2.DescribeCapacityReservationsInput,
	_ ...func(*ec2.Options),
) (*ec2.DescribeCapacityReservationsOutput, error) {
	out := &ec2.DescribeCapacityReservationsOutput{}
	for _, one := range r.list {
		asked := len(in.CapacityReservationIds) == 0 ||
			slices.Contains(in.CapacityReservationIds, awssdk.ToString(one.CapacityReservationId))
		if asked && !slices.ContainsFunc(in.Filters, func(f ec2types.Filter) bool { return !passes(one, f) }) {
			out.CapacityReservations = append(out.CapacityReservations, one)
		}
	}
	return out, nil
}

func passes(r ec2types.CapacityReservation, f ec2types.Filter) bool {
	name := awssdk.ToString(f.Name)
	switch name {
	case "state":
		return slices.Contains(f.Values, cmp.Or(string(r.State), string(ec2types.CapacityReservationStateActive)))
	case "owner-id":
		return slices.Contains(f.Values, awssdk.ToString(r.OwnerId))
	case "instance-match-criteria":
		return slices.Contains(f.Values, string(r.InstanceMatchCriteria))
	case "tag-key":
		return slices.ContainsFunc(
			r.Tags,
			func(t ec2types.Tag) bool { return slices.Contains(f.Values, awssdk.ToString(t.Key)) },
		)
	}
	key, isTag := strings.CutPrefix(name, "tag:")
	return isTag && slices.ContainsFunc(r.Tags, func(t ec2types.Tag) bool {
		return awssdk.ToString(t.Key) == key && slices.Contains(f.Values, awssdk.ToString(t.Value))
	})
}

// moment is a clock that stands still.
type moment time.Time

func (m moment) Now() time.Time                  { return time.Time(m) }
func (m moment) Since(t time.Time) time.Duration { return time.Time(m).Sub(t) }

// stock is what a class may launch into.
type stock struct {
	list    []awsv1.CapacityReservation
	left    func(id string) int32
	own     func(id string) bool
	guessed bool // nobody has said how much is left
}

// stock lists the reservations of a class and what is to be said of them: those among the account's that its terms
// select, or without a list of the account's those of its status, which does not say how many machines they still take.
func (a Account) stock(class *awsv1.EC2NodeClass) (stock, []string, error) {
	terms := class.Spec.CapacityReservationSelectorTerms
	if a.Reservations == nil {
		list, notes := stated(class, a.Now)
		return list, notes, nil
	}
	finder := reservation.New(a.Reservations, moment(a.Now))
	found, err := finder.Find(context.Background(), terms)
	if err != nil {
		return stock{}, nil, err
	}
	if family := class.AMIFamily(); family != awsv1.AMIFamilyCustom {
		found = slices.DeleteFunc(found, func(r awsv1.CapacityReservation) bool {
			return finder.Windows(r.ID) != strings.HasPrefix(family, "Windows")
		})
	}
	var notes []string
	if len(found) == 0 && len(terms) > 0 {
		notes = append(
			notes,
			"its capacityReservationSelectorTerms select none of the capacity reservations that are given",
		)
	}
	return stock{list: found, left: finder.Left, own: finder.Own}, notes, nil
}

const remedy = "; give what `aws ec2 describe-capacity-reservations` prints with --reservations"

// stated are the reservations of a class's status that have not ended.
func stated(class *awsv1.EC2NodeClass, now time.Time) (of stock, notes []string) {
	of.left = func(string) int32 { return math.MaxInt32 }
	of.own = func(string) bool { return false }
	of.guessed = true
	for _, r := range class.Status.CapacityReservations {
		if r.EndTime != nil && !now.Before(r.EndTime.Time) {
			notes = append(notes, "capacity reservation "+r.ID+" is left out: it has ended")
			continue
		}
		r.ReservationType = cmp.Or(r.ReservationType, awsv1.CapacityReservationTypeDefault)
		if r.State != awsv1.CapacityReservationStateExpiring {
			r = reservation.WithState([]awsv1.CapacityReservation{r}, now)[0]
		}
		of.list = append(of.list, r)
	}
	if len(class.Spec.CapacityReservationSelectorTerms) > 0 && len(class.Status.CapacityReservations) == 0 {
		notes = append(
			notes,
			"which capacity reservations it selects is not known, so nothing is planned as reserved"+remedy,
		)
	}
	return of, notes
}

// take puts a stock on the market. A reservation proves that its type is sold in its zone, whatever the catalogue says.
func (s stock) take(m *offering.Market, in *goods) (notes []string) {
	m.Left, m.Own = s.left, s.own
	var names []string
	for _, r := range s.list {
		_, reached := m.ZoneIDs[r.AvailabilityZone]
		switch {
		case !reached:
			notes = append(
				notes,
				fmt.Sprintf(
					"capacity reservation %s is left out: there is no subnet in %s",
					r.ID,
					r.AvailabilityZone,
				),
			)
		case !in.has(r.InstanceType):
			notes = append(
				notes,
				fmt.Sprintf(
					"capacity reservation %s is left out: there is no %s in the catalogue",
					r.ID,
					r.InstanceType,
				),
			)
		default:
			if zones := in.zones[r.InstanceType]; !slices.Contains(zones, r.AvailabilityZone) {
				in.zones[r.InstanceType] = append(zones, r.AvailabilityZone)
			}
			m.Reserved = append(m.Reserved, r)
			names = append(names, r.ID)
		}
	}
	if s.guessed && len(names) > 0 {
		notes = append(
			notes,
			"how many machines its capacity reservations still take is not known, so "+strings.Join(names, ", ")+
				" count without a limit"+remedy,
		)
	}
	return notes
}
