/* linalg.h for tests without R: Jacobi's cyclic rotations. */
#include <math.h>
#include <string.h>
#include "linalg.h"

Status la_eigen(LaWork *w, int n, int top, double *a, double *values, double *v)
{
    double *q = w->vectors;
    for (int i = 0; i < n * n; i++) q[i] = i % (n + 1) == 0;
    for (int sweep = 0; sweep < 60; sweep++) {
        double off = 0, all = 0;
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++) {
                double x = a[i * n + j] * a[i * n + j];
                all += x;
                off += i != j ? x : 0;
            }
        if (!(off > 1e-32 * all)) break;
        for (int i = 0; i < n; i++)
            for (int j = i + 1; j < n; j++) {
                if (a[i * n + j] == 0) continue;
                double th = (a[j * n + j] - a[i * n + i]) / (2 * a[i * n + j]);
                double t = (th < 0 ? -1 : 1) / (fabs(th) + sqrt(th * th + 1)),
                       c = 1 / sqrt(t * t + 1), s = t * c;
                for (int k = 0; k < n; k++) {
                    double x = a[k * n + i], y = a[k * n + j];
                    a[k * n + i] = c * x - s * y; a[k * n + j] = s * x + c * y;
                }
                for (int k = 0; k < n; k++) {
                    double x = a[i * n + k], y = a[j * n + k];
                    a[i * n + k] = c * x - s * y; a[j * n + k] = s * x + c * y;
                }
                for (int k = 0; k < n; k++) {
                    double x = q[k * n + i], y = q[k * n + j];
                    q[k * n + i] = c * x - s * y; q[k * n + j] = s * x + c * y;
                }
            }
    }
    for (int k = 0; k < n; k++) w->ints[k] = k;
    for (int k = 0; k < top; k++) {
        for (int j = k + 1; j < n; j++)
            if (a[w->ints[j] * (n + 1)] > a[w->ints[k] * (n + 1)]) {
                int t = w->ints[j];
                w->ints[j] = w->ints[k];
                w->ints[k] = t;
            }
        int at = w->ints[k];
        double largest = 0;
        for (int j = 0; j < n; j++)
            if (fabs(q[j * n + at]) > fabs(largest)) largest = q[j * n + at];
        values[k] = a[at * (n + 1)];
        for (int j = 0; j < n; j++) v[k * n + j] = largest < 0 ? -q[j * n + at] : q[j * n + at];
    }
    return ST_OK;
}
