package aws

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws/awserror"
)

// eachRefused is a fleet's answer that refuses every offer of the request with a code.
func eachRefused(form url.Values, code string) string {
	var items strings.Builder
	for i := 1; ; i++ {
		config := fmt.Sprintf("LaunchTemplateConfigs.%d.", i)
		if form.Get(config+"Overrides.1.InstanceType") == "" {
			break
		}
		for k := 1; ; k++ {
			at := fmt.Sprintf("%sOverrides.%d.", config, k)
			if form.Get(at+"InstanceType") == "" {
				break
			}
			fmt.Fprintf(
				&items,
				"<item><errorCode>%s</errorCode><errorMessage>So it is.</errorMessage><launchTemplateAndOverrides><overrides>"+
					"<instanceType>%s</instanceType><availabilityZone>%s</availabilityZone></overrides></launchTemplateAndOverrides></item>",
				code,
				form.Get(at+"InstanceType"),
				form.Get(at+"AvailabilityZone"),
			)
		}
	}
	return `<CreateFleetResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><fleetId>fleet-1</fleetId><errorSet>` + items.String() + "</errorSet></CreateFleetResponse>"
}

// Whatever a fleet has against every offer, the claim is given up at once with EC2's words, and the offers rest as sold
// out ones do. Only what passes by itself is waited for.
func TestWhatAFleetRefusesForCertainIsRememberedForTheOffers(t *testing.T) {
	t.Parallel()
	for code, certain := range map[string]bool{
		"SpotMaxPriceTooLow": true, "InvalidFleetConfiguration": true, "InvalidParameterCombination": true, "UnauthorizedOperation": true,
		"AFutureCode": true, "InvalidAMIID.Unavailable": true,
		"InsufficientInstanceCapacity": true, "RequestLimitExceeded": false, "InternalError": false,
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			tr := b.withTrouble(t)
			before := len(b.available(t, "default", shape.Spot))
			tr.on(
				"CreateFleet",
				func(r request) (*http.Response, error) { return answer(200, eachRefused(r.form, code))(r) },
			)
			only := claim("general-1", "default", oneOf(shape.LabelCapacityType, shape.Spot))
			_, err := b.Launch(t.Context(), b.orderFor(t, only))
			if err == nil || errors.Is(err, provider.ErrNoCapacity) != certain ||
				!strings.Contains(err.Error(), code) {
				t.Errorf("given up at once: %v, want %v: %v", errors.Is(err, provider.ErrNoCapacity), certain, err)
			}
			if certain && !awserror.IsNoCapacity(code) && !strings.Contains(err.Error(), "So it is") {
				t.Errorf("EC2's words are missing: %v", err)
			}
			after := len(b.available(t, "default", shape.Spot))
			if before == 0 || certain && after >= before || !certain && after != before {
				t.Errorf("%d spot offers are left of %d", after, before)
			}
			b.clock.Step(time.Hour)
			if n := len(b.available(t, "default", shape.Spot)); n != before {
				t.Errorf("%d spot offers an hour later, want %d", n, before)
			}
		})
	}
}

// A call that EC2 refuses as a whole because of one type is made without that type, named or not.
func TestOneTypeDoesNotSinkAFleet(t *testing.T) {
	t.Parallel()
	for name, words := range map[string]string{"Named": "The instance type '%s' is not what it should be.", "Unnamed": "Something is not as it should be."} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			tr := b.withTrouble(t)
			order := b.orderFor(t, claim("general-1", "default", oneOf(shape.LabelCapacityType, shape.OnDemand)))
			bad := order.Candidates[0].Type.Name
			tr.on("CreateFleet", func(r request) (*http.Response, error) {
				if strings.Contains(r.form.Encode(), "InstanceType="+bad+"&") {
					return answer(
						400,
						"<Response><Errors><Error><Code>InvalidParameterCombination</Code><Message>"+strings.Replace(
							words,
							"%s",
							bad,
							1,
						)+"</Message></Error></Errors></Response>",
					)(
						r,
					)
				}
				return r.pass()
			})
			m, err := b.Launch(t.Context(), order)
			if err != nil || m.InstanceType == bad {
				t.Errorf("launched %q, %v; want another type than %s", m.InstanceType, err, bad)
			}
		})
	}
}

// What EC2 has against a request itself is told as it says, after a handful of calls.
func TestAFleetThatIsWrongAsAWholeIsToldOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tr := b.withTrouble(t)
	tr.on("CreateFleet", refusal(400, "InvalidParameterCombination"))
	_, err := b.Launch(
		t.Context(),
		b.orderFor(t, claim("general-1", "default", oneOf(shape.LabelCapacityType, shape.OnDemand))),
	)
	var launch *provider.LaunchError
	if !errors.As(err, &launch) || !strings.Contains(launch.Message, "InvalidParameterCombination") {
		t.Errorf("got %v", err)
	}
	if n := len(tr.asked["CreateFleet"]); n != 3 {
		t.Errorf("%d calls, want one for all and one for each half", n)
	}
}
