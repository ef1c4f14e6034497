package influx

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	api "github.com/influxdata/influxdb-client-go/v2/api/http"
)

// Initialised is what Init made and found.
type Initialised struct {
	Buckets []Bucket
	// Write is the token for collecting, Read that for showing, Evaluate that
	// for what does both (ixpqos-server, rollups and alerts).
	Write, Read, Evaluate Token
}

// Token is one that InfluxDB shows this once. It knows it by its ID, by which
// it can be revoked (influx auth delete).
type Token struct{ ID, Secret string }

// Bucket is one that is there now.
type Bucket struct {
	Name string
	// Keeps is how long it keeps what it has; 0 is for ever.
	Keeps time.Duration
	// Made is set where it was not there before.
	Made bool
}

// Init makes the buckets that are missing, and three new tokens, with the token
// of an operator, who may do that. A bucket that is there stays as it is. After an
// error it revokes the tokens that it made, and names those that it cannot revoke.
func Init(ctx context.Context, address, org, operatorToken string, names Buckets, keep Retention) (Initialised, error) {
	const tried = "prepare InfluxDB"
	if err := (Options{URL: address, Org: org, Token: operatorToken}).check(); err != nil {
		return Initialised{}, fmt.Errorf("%s: %w", tried, err)
	}
	client := newHTTPClient()
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	p := preparing{service: newClient(address, operatorToken, client).HTTPService()}
	if err := p.all(ctx, org, names.orDefaults(), keep); err != nil {
		return Initialised{Buckets: p.done.Buckets}, errors.Join(explainInit(tried, address, err), p.revoke(ctx))
	}
	return p.done, nil
}

// explainInit is explain for who has no token of init yet: advice to run init is
// none here.
func explainInit(tried, address string, err error) error {
	switch code, _ := status(err); code {
	case http.StatusUnauthorized:
		return fmt.Errorf("%s: InfluxDB at %s: it does not know the token: give that of an operator, which `influx setup` made "+
			"(`influx auth list` shows it), in $INFLUX_TOKEN or by --influx-token-file: %w", tried, address, err)
	case http.StatusForbidden:
		return fmt.Errorf("%s: InfluxDB at %s: the token does not allow it: it must be an operator's, which `influx setup` made, "+
			"and not one that init printed: %w", tried, address, err)
	case http.StatusNotFound:
		return fmt.Errorf("%s: InfluxDB at %s: name the organisation that InfluxDB was set up with, by --influx-org or $INFLUX_ORG, "+
			"and use its operator's token: %w", tried, address, err)
	}
	return explain(tried, address, err)
}

// revoke ends the tokens that were made: nobody was shown them. It has time of its own.
func (p *preparing) revoke(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	var live []string
	var last error
	for _, id := range p.made {
		if err := p.call(ctx, http.MethodDelete, "authorizations/"+url.PathEscape(id), nil, nil, nil); err != nil {
			live, last = append(live, id), err
		}
	}
	if len(live) == 0 {
		return nil
	}
	return fmt.Errorf("nor could tokens be revoked that were made before and that nobody knows: `influx auth delete --id ID` ends %s: %w",
		strings.Join(live, ", "), last)
}

// preparing is the work of one Init. The client's own calls for this give
// errors without a status.
type preparing struct {
	service api.Service
	orgID   string
	made    []string // IDs of tokens
	done    Initialised
}

func (p *preparing) all(ctx context.Context, org string, names Buckets, keep Retention) (err error) {
	if p.orgID, err = p.findOrg(ctx, org); err != nil {
		return fmt.Errorf("the organisation %q: %w", org, err)
	}
	var ids []string
	for _, b := range []Bucket{{Name: names.Raw, Keeps: keep.Raw}, {Name: names.FiveMinutes, Keeps: keep.FiveMinutes},
		{Name: names.Hours, Keeps: keep.Hours}, {Name: names.Flows, Keeps: keep.Flows}, {Name: names.Rows, Keeps: keep.Rows}} {
		id, b, err := p.ensureBucket(ctx, b)
		if err != nil {
			return fmt.Errorf("the bucket %q: %w", b.Name, err)
		}
		ids, p.done.Buckets = append(ids, id), append(p.done.Buckets, b)
	}
	// What is merged is written by who evaluates, not by who collects.
	collected := []string{ids[0], ids[3]}
	for _, t := range []struct {
		into        *Token
		may         string
		read, write []string
	}{
		{&p.done.Write, "write", nil, collected},
		{&p.done.Read, "read", ids, nil},
		{&p.done.Evaluate, "read and write", ids, ids},
	} {
		if *t.into, err = p.makeToken(ctx, "ixpqos: "+t.may, t.read, t.write); err != nil {
			return fmt.Errorf("a token that may %s: %w", t.may, err)
		}
	}
	return nil
}

// found is what InfluxDB lists.
type found struct {
	ID             string `json:"id"`
	RetentionRules []rule `json:"retentionRules"`
}

type rule struct {
	Type         string `json:"type"`
	EverySeconds int64  `json:"everySeconds"`
}

func (p *preparing) findOrg(ctx context.Context, name string) (id string, err error) {
	var answer struct{ Orgs []found }
	if err := p.call(ctx, http.MethodGet, "orgs", url.Values{"org": {name}}, nil, &answer); err != nil {
		return "", err
	}
	if len(answer.Orgs) == 0 {
		return "", errors.New("it is not there: name the one that InfluxDB was set up with, and use its operator's token")
	}
	return answer.Orgs[0].ID, nil
}

// ensureBucket finds a bucket, or makes it, and says how it is.
func (p *preparing) ensureBucket(ctx context.Context, b Bucket) (id string, is Bucket, err error) {
	var answer struct{ Buckets []found }
	err = p.call(ctx, http.MethodGet, "buckets", url.Values{"orgID": {p.orgID}, "name": {b.Name}}, nil, &answer)
	if code, _ := status(err); err != nil && code != http.StatusNotFound {
		return "", b, err
	}
	if len(answer.Buckets) > 0 {
		b.Keeps = 0
		for _, r := range answer.Buckets[0].RetentionRules {
			b.Keeps = time.Duration(r.EverySeconds) * time.Second
		}
		return answer.Buckets[0].ID, b, nil
	}
	var made found
	err = p.call(ctx, http.MethodPost, "buckets", nil, map[string]any{"name": b.Name, "orgID": p.orgID,
		"retentionRules": []rule{{"expire", int64(b.Keeps / time.Second)}}}, &made)
	b.Made = err == nil
	return made.ID, b, err
}

type permission struct {
	Action   string   `json:"action"`
	Resource resource `json:"resource"`
}

type resource struct {
	Type  string `json:"type"`
	ID    string `json:"id"`
	OrgID string `json:"orgID"`
}

// makeToken makes a token that may read and write these buckets and nothing else.
func (p *preparing) makeToken(ctx context.Context, description string, read, write []string) (Token, error) {
	var may []permission
	for _, id := range read {
		may = append(may, permission{"read", resource{"buckets", id, p.orgID}})
	}
	for _, id := range write {
		may = append(may, permission{"write", resource{"buckets", id, p.orgID}})
	}
	var made struct{ ID, Token string }
	err := p.call(ctx, http.MethodPost, "authorizations", nil,
		map[string]any{"orgID": p.orgID, "description": description, "permissions": may}, &made)
	if made.ID != "" {
		p.made = append(p.made, made.ID)
	}
	if err == nil && made.Token == "" {
		err = errors.New("InfluxDB made one but does not show it")
	}
	return Token{made.ID, made.Token}, err
}

// call asks InfluxDB's API; there is no answer where out is nil. An error is an
// *api.Error with the status.
func (p *preparing) call(ctx context.Context, method, path string, query url.Values, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, p.service.ServerAPIURL()+path+"?"+query.Encode(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	failed := p.service.DoHTTPRequest(request, nil, func(r *http.Response) error {
		if out == nil {
			return r.Body.Close()
		}
		return errors.Join(json.NewDecoder(r.Body).Decode(out), r.Body.Close())
	})
	if failed != nil { // a nil *api.Error must not become an error
		return failed
	}
	return nil
}
