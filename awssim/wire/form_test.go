package wire

import (
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
)

type paged struct{ MaxResults *int }

type wanted struct {
	paged
	Name    string
	Flag    bool
	Price   *float64
	Since   time.Time
	Filters []struct {
		Name   string
		Values []string `query:"Value"`
	} `query:"Filter"`
}

func TestDecodeForm(t *testing.T) {
	t.Parallel()
	form, err := url.ParseQuery("Name=n&Flag=true&Price=1.5&MaxResults=7&Since=2026-11-21T12:00:00Z" +
		"&Filter.2.Name=b&Filter.2.Value.1=x&Filter.1.Name=a&Filter.1.Value.10=z&Filter.1.Value.2=y")
	if err != nil {
		t.Fatal(err)
	}
	var got wanted
	if err := decodeForm(form, &got, true); err != nil {
		t.Fatal(err)
	}
	seven, price := 7, 1.5
	want := wanted{
		paged: paged{&seven},
		Name:  "n",
		Flag:  true,
		Price: &price,
		Since: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC),
	}
	want.Filters = append(want.Filters, struct {
		Name   string
		Values []string `query:"Value"`
	}{"a", []string{"y", "z"}}, struct {
		Name   string
		Values []string `query:"Value"`
	}{"b", []string{"x"}})
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(wanted{})); diff != "" {
		t.Errorf("decodeForm: -want +got\n%s", diff)
	}
}

func TestDecodeFormRefuses(t *testing.T) {
	t.Parallel()
	for form, code := range map[string]string{
		"Colour=red":             "UnknownParameter",
		"Filter.1.Colour=red":    "UnknownParameter",
		"Filter.x.Name=a":        "UnknownParameter",
		"Name.1=a":               "UnknownParameter",
		"Flag=perhaps":           "InvalidParameterValue",
		"MaxResults=many":        "InvalidParameterValue",
		"Price=cheap":            "InvalidParameterValue",
		"Since=yesterday":        "InvalidParameterValue",
		"Filter.0.Name=a":        "UnknownParameter",
		"MaxResults.member.1=12": "UnknownParameter",
	} {
		values, err := url.ParseQuery(form)
		if err != nil {
			t.Fatal(err)
		}
		err = decodeForm(values, &wanted{}, true)
		if err == nil || apierror.From(err).Code != code {
			t.Errorf("%s: error %v, want %s", form, err, code)
		}
	}
}
