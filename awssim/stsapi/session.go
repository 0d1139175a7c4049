package stsapi

import (
	"context"
	"strings"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

// granted are credentials that STS hands out.
type granted struct {
	AccessKeyID     string `xml:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      string
}

func (a *api) grant(s *world.State, seconds int, otherwise time.Duration) granted {
	life := otherwise
	if seconds > 0 {
		life = time.Duration(seconds) * time.Second
	}
	return granted{a.key, "simulated", s.UUID(), s.Now.Add(life).UTC().Format(time.RFC3339)}
}

type sessionIn struct {
	DurationSeconds int
	SerialNumber    string
	TokenCode       string
}

type sessionOut struct {
	Credentials granted
}

func (a *api) session(_ context.Context, _ *wire.Call, in *sessionIn) (*sessionOut, error) {
	if in.DurationSeconds != 0 && (in.DurationSeconds < 900 || in.DurationSeconds > 129600) {
		return nil, apierror.New(
			"ValidationError",
			"The requested DurationSeconds must be from 900 to 129600, got %d.",
			in.DurationSeconds,
		)
	}
	out := &sessionOut{}
	return out, a.world.Do(func(s *world.State) error {
		out.Credentials = a.grant(s, in.DurationSeconds, 12*time.Hour)
		return nil
	})
}

type assumeRoleIn struct {
	RoleArn         string
	RoleSessionName string
	DurationSeconds int
	ExternalID      string `query:"ExternalId"`
	SourceIdentity  string
	Policy          string
	PolicyArns      []struct {
		Arn string `query:"arn"`
	}
	Tags              []struct{ Key, Value string }
	TransitiveTagKeys []string
	SerialNumber      string
	TokenCode         string
}

type assumeRoleOut struct {
	Credentials granted
	User        assumedUser `xml:"AssumedRoleUser"`
}

type assumedUser struct {
	Arn string
	ID  string `xml:"AssumedRoleId"`
}

// assumeRole takes any role that exists, whoever it trusts.
func (a *api) assumeRole(_ context.Context, _ *wire.Call, in *assumeRoleIn) (*assumeRoleOut, error) {
	_, path, found := strings.Cut(in.RoleArn, ":role/")
	if !found {
		return nil, apierror.New("ValidationError", "%s is invalid: it must be the ARN of a role", in.RoleArn)
	}
	if in.RoleSessionName == "" {
		return nil, apierror.New("ValidationError", "RoleSessionName must not be empty")
	}
	name := path[strings.LastIndex(path, "/")+1:]
	out := &assumeRoleOut{}
	return out, a.world.Do(func(s *world.State) error {
		r, err := s.Role(name)
		if err != nil {
			return apierror.WithStatus(
				403,
				"AccessDenied",
				"User: %s is not authorized to perform: sts:AssumeRole on resource: %s",
				s.Caller(),
				in.RoleArn,
			)
		}
		out.Credentials = a.grant(s, in.DurationSeconds, time.Duration(r.MaxSession)*time.Second)
		out.User = assumedUser{assumedARN(s, name, in.RoleSessionName), r.ID + ":" + in.RoleSessionName}
		return nil
	})
}

// assumedARN names a session of a role.
func assumedARN(s *world.State, role, session string) string {
	return strings.Replace(s.ARN("sts", "assumed-role/"+role+"/"+session), ":"+s.Region.Name+":", "::", 1)
}

type keyInfoIn struct {
	AccessKeyID string `query:"AccessKeyId"`
}

type keyInfoOut struct{ Account string }

func (a *api) keyInfo(context.Context, *wire.Call, *keyInfoIn) (*keyInfoOut, error) {
	out := &keyInfoOut{}
	return out, a.world.Do(func(s *world.State) error {
		out.Account = s.Account
		return nil
	})
}
