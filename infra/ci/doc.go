// Package ci has the scripts that lint and test this checkout, and tests of them.
package ci
