package rpc

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// checkOrigin refuses what a web page of another site makes a browser send.
// Browsers mark their requests; programs send neither header, and their
// requests pass.
//
// A page that was loaded from a name which then points to this machine (DNS
// rebinding) counts as the same site for the browser. So the name in Host must
// be an address, localhost or a configured one: only the owner of an address
// can make a page under it.
func (s *Server) checkOrigin(r *http.Request) error {
	origin, site := r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site")
	if origin == "" && site == "" {
		return nil
	}
	if site != "" && site != "same-origin" && site != "none" {
		return errors.New("requests from web pages of other sites are refused")
	}
	if origin != "" {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || !strings.EqualFold(u.Host, r.Host) {
			return errors.New("requests from web pages of other sites are refused")
		}
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if _, err := netip.ParseAddr(host); err == nil || host == "localhost" || slices.Contains(s.hosts, host) {
		return nil
	}
	return errors.New("this server is not known under the name in the Host header")
}
