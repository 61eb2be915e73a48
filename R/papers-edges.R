#' @include infill.R
NULL

#' Gene-gene edges against a reference
#'
#' @param edges Edges that were found: a data.frame with columns `gene1` and
#'   `gene2`, such as `fitParts(fit, "edges")` of [GraphSciParam()] gives.
#' @param reference Edges that are known, in the same form: an interaction database.
#' @param genes Names of all genes that could have had edges, such as the modelled
#'   ones; those in `edges` when `NULL`.
#' @return A data.frame with one row. Edges have no direction, each counts once, and
#'   edges of a gene with itself do not count. `edges` and `reference`: edges whose
#'   genes are both known to the other side; `common`; `precision` =
#'   common/edges; `recall` = common/reference; `f1` (`NA`: of nothing); `edges.all` and
#'   `reference.all`: all edges; `genes.not.in.reference` and `genes.not.in.edges`:
#'   how many genes of one side the other lacks, whose edges are not judged. Their
#'   names are in the attribute `"missing"`, a list of two.
#' @references Rao et al. (2021), iScience 24:102393 (GraphSCI; its precision
#'   against STRING).
#' @examples
#' found <- data.frame(gene1 = c("a", "b", "c"), gene2 = c("b", "c", "x"))
#' known <- data.frame(gene1 = c("b", "a", "d"), gene2 = c("a", "c", "a"))
#' edgesAgainst(found, known)
#' @export
edgesAgainst <- function(edges, reference, genes = NULL) {
    e <- .undirected(edges, "edges")
    r <- .undirected(reference, "reference")
    if (!is.null(genes) && (!is.atomic(genes) || anyNA(genes) || !length(genes))) .stop(
        "'genes' must be names of genes, not %s", .describe(genes))
    ours <- unique(c(as.character(genes), e$a, e$b))
    theirs <- unique(c(r$a, r$b))
    judged <- e$a %in% theirs & e$b %in% theirs
    sought <- r$a %in% ours & r$b %in% ours
    common <- sum(duplicated(rbind(e[judged, ], r[sought, ])))
    n <- sum(judged)
    k <- sum(sought)
    missing <- list(from.reference = setdiff(ours, theirs), from.edges = setdiff(theirs, ours))
    structure(data.frame(edges = n, reference = k, common = common,
        precision = .share(common, n), recall = .share(common, k),
        f1 = .share(2 * common, n + k), edges.all = nrow(e), reference.all = nrow(r),
        genes.not.in.reference = length(missing[[1L]]), genes.not.in.edges = length(missing[[2L]])),
        missing = missing)
}

# Each pair once, the names in order.
.undirected <- function(edges, arg) {
    if (!is.data.frame(edges) || !all(c("gene1", "gene2") %in% names(edges))) .stop(
        "'%s' must be a data.frame with columns gene1 and gene2, not %s", arg,
        if (is.data.frame(edges))
            sprintf("one with %s",
                .someOf(c(names(edges), "none")[seq_len(max(1, length(edges)))])) else
                .describe(edges))
    a <- as.character(edges$gene1)
    b <- as.character(edges$gene2)
    if (anyNA(a) || anyNA(b)) .stop("'%s' must have no missing genes", arg)
    # an order that does not depend on the locale
    first <- match(a, sort(unique(c(a, b)), method = "radix"))
    swap <- first > match(b, sort(unique(c(a, b)), method = "radix"))
    unique(data.frame(a = ifelse(swap, b, a), b = ifelse(swap, a, b))[a != b, ])
}
