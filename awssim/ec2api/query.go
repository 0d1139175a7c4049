package ec2api

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/launchspec"
)

// asked is what every Describe takes.
type asked struct {
	DryRun     bool
	Filters    []filter `query:"Filter"`
	MaxResults *int
	NextToken  string

	half bool // give half a page, though there is room for more
}

// Halve has the answer hold half a page: AWS may give less than was asked for,
// with a token for the rest, whenever it likes.
func (q *asked) Halve() { q.half = true }

// filter keeps what has one of the values; * and ? in a value are wildcards.
type filter struct {
	Name   string
	Values []string `query:"Value"`
}

// fields gives a resource's values under each filter name it knows. A tag
// filter (tag:Key, tag-key, tag-value) is added by match.
type fields map[string]func() []string

func one(s string) func() []string              { return func() []string { return []string{s} } }
func yesNo(b bool) func() []string              { return one(strconv.FormatBool(b)) }
func number[T int | int64](n T) func() []string { return one(strconv.FormatInt(int64(n), 10)) }
func many(s []string) func() []string           { return func() []string { return s } }

// match says whether a resource passes all filters.
func match(filters []filter, known fields, tags []launchspec.Tag) bool {
	for _, f := range filters {
		if !slices.ContainsFunc(valuesOf(f.Name, known, tags), func(v string) bool {
			return slices.ContainsFunc(f.Values, func(pattern string) bool { return glob(pattern, v) })
		}) {
			return false
		}
	}
	return true
}

func valuesOf(name string, known fields, tags []launchspec.Tag) []string {
	if get := known[name]; get != nil {
		return get()
	}
	var out []string
	key, byKey := strings.CutPrefix(name, "tag:")
	for _, t := range tags {
		switch {
		case byKey && t.Key == key, name == "tag-value":
			out = append(out, t.Value)
		case name == "tag-key":
			out = append(out, t.Key)
		}
	}
	return out
}

// checkFilters refuses filters that the resource does not have. names are the
// ones it has; tagged adds the tag filters.
func checkFilters(filters []filter, tagged bool, names ...string) error {
	for _, f := range filters {
		isTag := strings.HasPrefix(f.Name, "tag:") || f.Name == "tag-key" || f.Name == "tag-value"
		if !slices.Contains(names, f.Name) && !(tagged && isTag) {
			return apierror.Invalid("The filter '%s' is invalid", f.Name)
		}
		if len(f.Values) == 0 {
			return apierror.Invalid("The filter '%s' has no values", f.Name)
		}
		if len(f.Values) > 200 {
			return apierror.New(
				"FilterLimitExceeded",
				"The maximum number of filter values specified on a single call is 200",
			)
		}
	}
	return nil
}

// glob matches EC2's wildcards: * for any text, ? for one character, and a
// backslash that takes their meaning away.
func glob(pattern, s string) bool {
	if !strings.ContainsAny(pattern, `*?\`) {
		return pattern == s
	}
	var re strings.Builder
	re.WriteString(`(?s)^`)
	escaped := false
	for _, r := range pattern {
		switch {
		case escaped:
			re.WriteString(regexp.QuoteMeta(string(r)))
			escaped = false
		case r == '\\':
			escaped = true
		case r == '*':
			re.WriteString(`.*`)
		case r == '?':
			re.WriteString(`.`)
		default:
			re.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	re.WriteString(`$`)
	matched, err := regexp.MatchString(re.String(), s)
	return err == nil && matched
}

// bounds are the limits of MaxResults.
type bounds struct{ least, most int }

// page cuts one page out of items, which are ascending by key. The token says
// the last key that was given out, so that nothing is skipped or given twice
// when items come and go between two pages. It is empty on the last page.
func page[T any](q asked, limit bounds, items []T, key func(T) string) ([]T, string, error) {
	if q.MaxResults != nil && (*q.MaxResults < limit.least || *q.MaxResults > limit.most) {
		return nil, "", apierror.Invalid(
			"Value ( %d ) for parameter maxResults is invalid. Expecting a value between %d and %d.",
			*q.MaxResults,
			limit.least,
			limit.most,
		)
	}
	if q.NextToken != "" {
		raw, err := base64.RawURLEncoding.DecodeString(q.NextToken)
		after, ok := strings.CutPrefix(string(raw), "after ")
		if err != nil || !ok {
			return nil, "", apierror.New("InvalidNextToken", "The token '%s' is invalid", q.NextToken)
		}
		start, found := slices.BinarySearchFunc(
			items,
			after,
			func(item T, after string) int { return strings.Compare(key(item), after) },
		)
		if found {
			start++
		}
		items = items[start:]
	}
	most := limit.most
	if q.MaxResults != nil {
		most = *q.MaxResults
	}
	if q.half {
		most = min(most, (len(items)+1)/2)
	}
	if len(items) <= most {
		return items, "", nil
	}
	items = items[:most]
	return items, base64.RawURLEncoding.EncodeToString([]byte("after " + key(items[most-1]))), nil
}
