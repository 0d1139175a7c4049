// Package pricingapi answers the Pricing API's GetProducts for EC2 instances,
// in the price list's own JSON, from the catalogue of all regions.
package pricingapi

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
	"github.com/dovetail-sh/dovetail/catalog"
)

// New returns Pricing's actions.
func New() wire.Service {
	return wire.Service{"GetProducts": wire.Handle(getProducts)}
}

type getProductsIn struct {
	ServiceCode   string
	FormatVersion string
	Filters       []struct{ Type, Field, Value string }
	MaxResults    *int
	NextToken     string

	half bool
}

// Halve has the answer hold half a page.
func (in *getProductsIn) Halve() { in.half = true }

type getProductsOut struct {
	FormatVersion string
	PriceList     []string // each a product in JSON
	NextToken     string   `json:",omitempty"`
}

func getProducts(_ context.Context, _ *wire.Call, in *getProductsIn) (*getProductsOut, error) {
	most := 100
	if in.MaxResults != nil {
		most = *in.MaxResults
	}
	switch {
	case in.ServiceCode != "AmazonEC2":
		return nil, apierror.New("NotFoundException", "Service code %q is not simulated: use AmazonEC2.", in.ServiceCode)
	case most < 1 || most > 100:
		return nil, apierror.New("InvalidParameterException", "MaxResults must be from 1 to 100, got %d.", most)
	}
	if in.half {
		most = (most + 1) / 2
	}
	skip, err := position(in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &getProductsOut{FormatVersion: "aws_v1", PriceList: []string{}}
	at := 0
	for _, region := range places() {
		for _, t := range catalog.Offered(region.Name) {
			price, sold := catalog.OnDemand(region.Name, t.Name)
			if !sold {
				continue
			}
			for _, tenancy := range tenancies(t) {
				kept, err := in.matches(region, t, tenancy)
				if err != nil {
					return nil, err
				}
				if !kept {
					continue
				}
				at++
				if at <= skip {
					continue
				}
				if len(out.PriceList) == most {
					out.NextToken = base64.RawURLEncoding.EncodeToString([]byte("skip " + strconv.Itoa(at-1)))
					return out, nil
				}
				if tenancy == dedicated {
					price = world.DedicatedPrice(t, price)
				}
				product, err := json.Marshal(describe(region, t, tenancy, price))
				if err != nil {
					return nil, fmt.Errorf("encoding the price of %s: %w", t.Name, err)
				}
				out.PriceList = append(out.PriceList, string(product))
			}
		}
	}
	return out, nil
}

// position reads a NextToken. The price list never changes, so a count is
// enough.
func position(token string) (int, error) {
	if token == "" {
		return 0, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	rest, ok := strings.CutPrefix(string(raw), "skip ")
	n, numErr := strconv.Atoi(rest)
	if err != nil || !ok || numErr != nil {
		return 0, apierror.New("InvalidNextTokenException", "The pagination token is invalid.")
	}
	return n, nil
}

// places is all that has prices: the regions, and the groups of Local Zones.
func places() []catalog.Region {
	out := slices.Clone(catalog.Regions())
	for _, region := range catalog.Regions() {
		out = append(out, catalog.LocalZones(region.Name)...)
	}
	return out
}

// Tenancies, in the words of the price list.
const (
	shared    = "Shared"
	dedicated = "Dedicated"
)

// tenancies are those that the list has prices of a type for. It calls all bare metal dedicated.
func tenancies(t *catalog.Type) []string {
	switch {
	case t.Bare:
		return []string{dedicated}
	case world.TakesDedicated(t):
		return []string{shared, dedicated}
	}
	return []string{shared}
}

// attributes are what products can be filtered by.
func attributes(region catalog.Region, t *catalog.Type, tenancy string) map[string]string {
	family := "Compute Instance"
	if t.Bare {
		family = "Compute Instance (bare metal)"
	}
	storage := "EBS only"
	if t.Disk.Count > 0 {
		storage = fmt.Sprintf("%d x %d %s", t.Disk.Count, t.Disk.SizeGB, strings.ToUpper(t.Disk.Kind))
	}
	return map[string]string{
		"productFamily":     family,
		"tenancy":           tenancy,
		"serviceCode":       "AmazonEC2",
		"servicecode":       "AmazonEC2",
		"servicename":       "Amazon Elastic Compute Cloud",
		"regionCode":        region.Name,
		"location":          region.Location,
		"locationType":      map[bool]string{true: "AWS Region", false: "AWS Local Zone"}[region.Parent == ""],
		"instanceType":      t.Name,
		"instanceFamily":    t.Category,
		"vcpu":              strconv.Itoa(t.VCPU),
		"memory":            strconv.FormatFloat(float64(t.MemoryMiB)/1024, 'f', -1, 64) + " GiB",
		"storage":           storage,
		"operatingSystem":   "Linux",
		"preInstalledSw":    "NA",
		"licenseModel":      "No License required",
		"capacitystatus":    "Used",
		"marketoption":      "OnDemand",
		"operation":         "RunInstances",
		"currentGeneration": map[bool]string{true: "Yes", false: "No"}[t.Current],
	}
}

func (in *getProductsIn) matches(region catalog.Region, t *catalog.Type, tenancy string) (bool, error) {
	// The two that nearly all callers give first, before a map is built.
	for _, f := range in.Filters {
		if f.Field == "regionCode" && f.Value != region.Name || f.Field == "instanceType" && f.Value != t.Name {
			return false, nil
		}
	}
	have := attributes(region, t, tenancy)
	for _, f := range in.Filters {
		value, known := have[f.Field]
		switch {
		case f.Type != "TERM_MATCH":
			return false, apierror.New("InvalidParameterException", "Filters of type %q are not simulated: use TERM_MATCH.", f.Type)
		case !known:
			return false, apierror.New("InvalidParameterException", "The attribute %q is unknown.", f.Field)
		case !strings.EqualFold(value, f.Value):
			return false, nil
		}
	}
	return true, nil
}

// Codes that AWS's price list uses for all hourly on-demand terms.
const (
	offerTermCode = "JRTCKXETXF"
	rateCode      = "6YS6EN2CT7"
	published     = "2025-05-28T00:00:00Z" // the date of the catalogue's prices
)

type product struct {
	Product struct {
		Family     string            `json:"productFamily"`
		Attributes map[string]string `json:"attributes"`
		SKU        string            `json:"sku"`
	} `json:"product"`
	ServiceCode string `json:"serviceCode"`
	Terms       struct {
		OnDemand map[string]term
	} `json:"terms"`
	Version     string `json:"version"`
	Publication string `json:"publicationDate"`
}

type term struct {
	Dimensions map[string]dimension `json:"priceDimensions"`
	SKU        string               `json:"sku"`
	Effective  string               `json:"effectiveDate"`
	Code       string               `json:"offerTermCode"`
	Attributes map[string]string    `json:"termAttributes"`
}

type dimension struct {
	Unit        string            `json:"unit"`
	Begin       string            `json:"beginRange"`
	End         string            `json:"endRange"`
	Description string            `json:"description"`
	AppliesTo   []string          `json:"appliesTo"`
	Rate        string            `json:"rateCode"`
	Price       map[string]string `json:"pricePerUnit"`
}

func describe(region catalog.Region, t *catalog.Type, tenancy string, micro int64) product {
	h := fnv.New64a()
	fmt.Fprint(h, region.Name, t.Name)
	if tenancy == dedicated && !t.Bare {
		fmt.Fprint(h, tenancy)
	}
	sku := strings.ToUpper(strconv.FormatUint(h.Sum64()|1<<63, 36))[:12]
	usd := fmt.Sprintf("%d.%06d0000", micro/1_000_000, micro%1_000_000)
	have := attributes(region, t, tenancy)
	var p product
	p.Product.Family, p.Product.SKU = have["productFamily"], sku
	delete(have, "productFamily")
	delete(have, "serviceCode")
	p.Product.Attributes = have
	p.ServiceCode, p.Version, p.Publication = "AmazonEC2", "20250528000000", published
	key := sku + "." + offerTermCode
	p.Terms.OnDemand = map[string]term{key: {
		Dimensions: map[string]dimension{key + "." + rateCode: {
			Unit: "Hrs", Begin: "0", End: "Inf", AppliesTo: []string{}, Rate: key + "." + rateCode,
			Description: fmt.Sprintf("$%s per On Demand Linux %s Instance Hour", strings.TrimRight(usd, "0"), t.Name),
			Price:       map[string]string{"USD": usd},
		}},
		SKU: sku, Effective: published, Code: offerTermCode, Attributes: map[string]string{},
	}}
	return p
}
